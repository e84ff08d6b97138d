package pods_test

import (
	"flag"
	"os"
	"testing"
)

// atOnce is how many tests run at the same time, on any number of cores: they mostly wait. Each has its own network.
const atOnce = "4"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
