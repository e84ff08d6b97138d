package main

import (
	"os"

	"github.com/openservicemesh/osm-operator/internal/demo"
)

func main() {
	os.Exit(demo.Main(demo.Bookbuyer))
}
