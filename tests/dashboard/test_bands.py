from dashboard.parts.bands import Banded, Point, drawn


def test_only_the_lower_axis_is_marked_at_the_labels():
    points = [Point(labels, labels / 100, labels / 200, labels / 50) for labels in (1, 5, 20, 50)]
    found = drawn([Banded("this encoder", points)], 0.1)
    assert found["xAxis"]["axisLabel"]["customValues"] == [1, 5, 20, 50]
    assert "customValues" not in found["yAxis"]["axisLabel"]
    assert found["yAxis"]["axisLabel"]["formatter"] == "{value}%"
