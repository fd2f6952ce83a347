"""What is cited: the package, what it stands on, and the sources of a study's parts."""

import re

import pytest

import dcg_econ as dcg
from dcg_econ.experiments.bibliography import entries
from dcg_econ.experiments.citations import BENEATH, SOURCES
from dcg_econ.experiments.codec import kinds
from dcg_econ.experiments.datafiles import SpecificationError
from dcg_econ.mechanisms import DoubleAuction


def keys(text):
    return re.findall(r"(?m)^@\w+\{([^,]+),", text)


def test_nothing_given_is_the_package_and_what_it_stands_on():
    assert keys(dcg.citation()) == ["dcg_econ", *sorted(BENEATH)]


def test_a_study_cites_the_sources_of_its_parts():
    chat = dcg.Treatment(protocol=dcg.Protocol(dcg.Chat(8)), estimator=dcg.ScoreFunction(dcg.LeaveOneOut()))
    study = dcg.Study(DoubleAuction(), {"chat": chat}, steps=1)
    found = keys(dcg.citation(study))
    assert {"chatterjee_samuelson_1983", "williams_1992"} <= set(found) and "jang_2017" not in found
    assert found[1:] == sorted(found[1:]) and len(set(found)) == len(found)


def test_a_study_of_the_catalogue_by_name():
    found = keys(dcg.citation("double_blind"))
    assert {"foerster_2018", "vaswani_2017", "jang_2017"} <= set(found)
    assert {"graddy_1995", "wooldridge_2013"} <= set(keys(dcg.citation("fish_market")))


def test_parts_of_a_study():
    found = keys(dcg.citation(DoubleAuction(), dcg.Transformer(), dcg.ScoreFunction(dcg.LeaveOneOut())))
    assert {"myerson_satterthwaite_1983", "vaswani_2017", "williams_1992"} <= set(found)


@pytest.mark.parametrize("given", [3, [1], DoubleAuction, "no_such_study"])
def test_what_has_no_citation_is_refused(given):
    with pytest.raises(SpecificationError):
        dcg.citation(given)


def test_every_source_is_in_the_bibliography_and_of_a_part_that_exists():
    assert {key for of in SOURCES.values() for key in of} <= set(entries())
    assert set(SOURCES) - set(kinds(object)) - {"fulton_fish"} == set()
