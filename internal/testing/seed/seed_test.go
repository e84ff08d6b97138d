package seed_test

import (
	"flag"
	"testing"

	_ "pgregory.net/rapid" // defines the flag

	"github.com/openservicemesh/osm-operator/internal/testing/seed"
)

func TestSeedOfTheEnvironment(t *testing.T) {
	for value, want := range map[string]uint64{"": 7, "12": 12, "-1": 7, "x": 7, "18446744073709551615": 1<<64 - 1} {
		t.Setenv("OSM_TEST_SEED", value)
		if got := seed.Or(7); got != want {
			t.Errorf("%q gives %d, want %d", value, got, want)
		}
	}
}

// A seed on the command line has precedence.
func TestSeedOfRapid(t *testing.T) {
	f := flag.Lookup("rapid.seed")
	before := f.Value.String()
	defer func() { _ = f.Value.Set(before) }()
	t.Setenv("OSM_TEST_SEED", "12")
	for given, want := range map[string]string{"0": "12", "3": "3"} {
		if err := f.Value.Set(given); err != nil {
			t.Fatal(err)
		}
		if err := seed.SetRapid(); err != nil || f.Value.String() != want {
			t.Errorf("%s gives %s (%v), want %s", given, f.Value.String(), err, want)
		}
	}
}
