package main

import (
	"strings"
	"testing"
)

func TestOnlyPatchReleasesAreAccepted(t *testing.T) {
	for next, want := range map[string]string{
		"1.40.1":       "",
		"1.40.12":      "",
		"1.40.0":       "not later",
		"1.41.0":       "not a patch release",
		"1.39.9":       "not a patch release",
		"v1.40.1":      "not a release",
		"1.40":         "not later",
		"1.40.1-dev":   "not a release",
		"1.40.1; true": "not a release",
	} {
		err := isPatch("1.40.0", next)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", next, err, want)
		}
	}
}
