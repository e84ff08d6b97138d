package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/openservicemesh/osm-operator/hack/images/lock"
)

// printTable prints name, digest and size of the images just built.
func printTable(w io.Writer, built []image, list lock.Images) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "IMAGE\tDIGEST\tSIZE")
	for _, img := range built {
		l := list[img.name]
		fmt.Fprintf(tw, "%s\t%s\t%.1f MB\n", l.Reference, l.Digest, float64(l.Size)/1e6)
	}
	return tw.Flush()
}
