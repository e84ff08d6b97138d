// Command demo-bookstore sells the books of the demo.
// Flows in: its environment. Flows out: see package demo.
package main

import (
	"os"

	"github.com/openservicemesh/osm-operator/internal/demo"
)

func main() {
	os.Exit(demo.Main(demo.Bookstore))
}
