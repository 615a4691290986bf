"""Small pictures are well-formed, whatever the names in them, and every point is told."""

from __future__ import annotations

from xml.etree import ElementTree

from lineshaft.report import svg


def test_a_picture_parses_and_holds_its_points() -> None:
    points = [(1.0, 2.0, "a < b"), (3.0, 4.0, "c & d")]
    text = svg.frame(
        100, 50, "waits < 1 h & more", 10,
        [svg.line(0, 0, 9, 9, "#000", "6 4"), *svg.row(points, "#123456")],
    )  # fmt: skip
    root = ElementTree.fromstring(text)
    inside = {element.tag.rpartition("}")[2] for element in root}
    assert inside == {"title", "rect", "text", "line", "polyline", "circle"}
    assert root[0].text == root[2].text == "waits < 1 h & more"
    told = [circle[0].text for circle in root if circle.tag.endswith("circle")]
    assert told == [words for _, _, words in points]
    (path,) = (e.get("points") for e in root if e.tag.endswith("polyline"))
    assert path == "1.0,2.0 3.0,4.0"
