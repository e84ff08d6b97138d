// Command demo-bookwarehouse restocks the demo's books from MySQL. Package demo describes its environment variables and
// output.
package main

import (
	"os"

	"github.com/openservicemesh/osm-operator/internal/demo"
)

func main() {
	os.Exit(demo.Main(demo.Bookwarehouse))
}
