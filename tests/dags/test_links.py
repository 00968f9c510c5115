"""The button to Dask's dashboard is on the tasks that compute on Dask, where a deployment says where it is."""

from types import SimpleNamespace

import pytest

URL = "https://dask.example/status"


@pytest.fixture
def links(in_process):
    import tsubame_airflow.links

    return tsubame_airflow.links


def test_without_the_setting_there_is_no_button(links, monkeypatch):
    monkeypatch.delenv("TSUBAME_DASK_DASHBOARD_URL", raising=False)
    assert links.plugin_links() == []


def test_with_it_tasks_in_dasks_pool_have_one(links, monkeypatch):
    monkeypatch.setenv("TSUBAME_DASK_DASHBOARD_URL", URL)
    (link,) = links.plugin_links()
    assert link.name == "Dask dashboard"
    assert link.get_link(SimpleNamespace(pool="dask"), ti_key=None) == URL
    assert link.get_link(SimpleNamespace(pool="default_pool"), ti_key=None) == ""


def test_what_is_no_page_is_told_and_does_not_keep_the_plugin_from_loading(links, monkeypatch, caplog):
    monkeypatch.setenv("TSUBAME_DASK_DASHBOARD_URL", "javascript:alert(1)")
    assert links.plugin_links() == []
    assert "TSUBAME_DASK_DASHBOARD_URL: not the URL of a page" in caplog.text
