package verdict_test

import (
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/testing/seed"
)

// atOnce is how many tests run at the same time, on any number of cores: they mostly wait. Each has its own network.
const atOnce = "6"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := errors.Join(flag.Set("test.parallel", atOnce), seed.SetRapid()); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
