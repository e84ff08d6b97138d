package ingest

import "testing"

// TestProblem_InForce checks that only an object with nothing but warnings about its parts applies.
func TestProblem_InForce(t *testing.T) {
	for problem, want := range map[Problem]bool{
		{}: false, {Warning: true}: true, {Idle: true}: false, {Warning: true, Idle: true}: false,
	} {
		if got := problem.InForce(); got != want {
			t.Errorf("with a problem that is a warning %t and idle %t, the object is in force: %t, want %t", problem.Warning, problem.Idle, got, want)
		}
	}
}
