// Command demo-bookbuyer buys books from the demo's bookstore. Package demo describes its environment variables and output.
package main

import (
	"os"

	"github.com/openservicemesh/osm-operator/internal/demo"
)

func main() {
	os.Exit(demo.Main(demo.Bookbuyer))
}
