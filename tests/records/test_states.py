from records.states import ENDED, FOLLOWS, HELD, JobState, sources


class TestStates:
    def test_every_state_can_be_reached_and_every_state_but_the_ended_can_be_left(self):
        reached = {JobState.QUEUED} | {state for following in FOLLOWS.values() for state in following}
        assert reached == set(JobState)
        assert {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED} == ENDED

    def test_what_a_worker_holds_can_end(self):
        assert all(FOLLOWS[state] & (ENDED | {JobState.PAUSED}) for state in HELD)

    def test_sources_is_the_inverse(self):
        assert set(sources(JobState.PAUSED)) == {JobState.PAUSING, JobState.QUEUED}
