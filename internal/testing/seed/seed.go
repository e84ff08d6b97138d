package seed

import (
	"flag"
	"os"
	"strconv"
)

// variable is the environment variable with the seed.
const variable = "OSM_TEST_SEED"

// Or returns the seed of the environment, or another one without it. An invalid value counts as none.
func Or(other uint64) uint64 {
	if value, err := strconv.ParseUint(os.Getenv(variable), 10, 64); err == nil {
		return value
	}
	return other
}

// SetRapid sets the seed of rapid's flag, if the command line has none. Call it after flag.Parse.
func SetRapid() error {
	f := flag.Lookup("rapid.seed")
	if f == nil || f.Value.String() != "0" {
		return nil
	}
	return f.Value.Set(strconv.FormatUint(Or(0), 10))
}
