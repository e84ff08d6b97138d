package main

import (
	"strings"
	"testing"
)

func TestEachStepHasItsUsualTime(t *testing.T) {
	for _, s := range []step{clusterStep, imagesStep, checkStep, operatorStep, meshStep, bookstoreStep, observabilityStep, trafficStep} {
		var out strings.Builder
		newProgress(&out).begin(s)
		if want := "[   0s] " + s.name + ": " + s.does + " (usually " + s.usual + ")\n"; out.String() != want || s.name == "" || s.does == "" || s.usual == "" {
			t.Errorf("%q, want %q", out.String(), want)
		}
	}
}
