package main

import (
	"os/exec"
	"testing"
)

func TestQuoteRoundTripsThroughShell(t *testing.T) {
	for _, want := range []string{"/plain", "with space", "it's", "$HOME `x` \"q\" \\", ""} {
		out, err := exec.Command("sh", "-c", "printf %s "+quote(want)).Output()
		if err != nil || string(out) != want {
			t.Errorf("the shell printed %q, want %q (%v)", out, want, err)
		}
	}
}
