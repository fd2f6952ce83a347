"""Whether talk is talk: gradients, languages, and who listens."""

from dcg_econ.diagnostics.gsnr import BatchGsnr as BatchGsnr
from dcg_econ.diagnostics.gsnr import Gsnr as Gsnr
from dcg_econ.diagnostics.gsnr import gsnr as gsnr
from dcg_econ.diagnostics.gsnr import gsnr_over_batches as gsnr_over_batches
from dcg_econ.diagnostics.jacobian_response import Action as Action
from dcg_econ.diagnostics.jacobian_response import Chances as Chances
from dcg_econ.diagnostics.jacobian_response import JacobianResponse as JacobianResponse
from dcg_econ.diagnostics.jacobian_response import Policy as Policy
from dcg_econ.diagnostics.jacobian_response import jacobian_response as jacobian_response
from dcg_econ.diagnostics.message_field import MessageField as MessageField
from dcg_econ.diagnostics.message_field import message_field as message_field
from dcg_econ.diagnostics.null_channels import ConstantMessage as ConstantMessage
from dcg_econ.diagnostics.null_channels import Zeroed as Zeroed
from dcg_econ.diagnostics.null_channels import shuffled as shuffled
from dcg_econ.diagnostics.signalling import Information as Information
from dcg_econ.diagnostics.signalling import causal_influence as causal_influence
from dcg_econ.diagnostics.signalling import mutual_information as mutual_information
from dcg_econ.diagnostics.signalling import positive_listening as positive_listening
from dcg_econ.diagnostics.signalling import positive_signalling as positive_signalling
from dcg_econ.diagnostics.signalling import speaker_consistency as speaker_consistency
from dcg_econ.diagnostics.topographic import Topographic as Topographic
from dcg_econ.diagnostics.topographic import edit_distances as edit_distances
from dcg_econ.diagnostics.topographic import hamming_shares as hamming_shares
from dcg_econ.diagnostics.topographic import topographic_similarity as topographic_similarity
from dcg_econ.diagnostics.transcript import codebook_table as codebook_table
from dcg_econ.diagnostics.transcript import transcript as transcript
