package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
)

const (
	// identities is the number of certificates that are renewed at once, and renewedSidecars the number of sidecars with one of them.
	identities, renewedSidecars = 2000, identities * mesh.PodsPerService
	// idleChanges is the number of changes measured before.
	idleChanges = 50
)

// renewals measures the renewal of all certificates of a mesh at once, and how long changes of endpoints take meanwhile.
func renewals(out io.Writer) error {
	t, err := newTestbed(shape{mesh.Policy, renewedSidecars}, nil)
	if err != nil {
		return err
	}
	s := t.session(server.Ours)
	if err := s.firstSync(); err != nil {
		return err
	}
	r, err := s.renewAll()
	if err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	return r.write(out)
}

// renewed is the measurement of a renewal.
type renewed struct {
	// idle and during are the durations of changes in seconds, before and during the renewal.
	idle, during []float64
	// wall and cpu are those of the renewal, in seconds. The CPU time of the changes is subtracted.
	wall, cpu float64
}

// renewAll renews all certificates while endpoints change.
func (s *session) renewAll() (renewed, error) {
	var r renewed
	var each []float64
	for range idleChanges {
		one, err := s.change(mesh.Endpoint)
		if err != nil {
			return r, err
		}
		r.idle, each = append(r.idle, one.wall), append(each, one.cpu)
	}
	begun, err := s.child.do(server.Command{Task: server.Renew})
	if err != nil {
		return r, err
	}
	now := begun
	for now.Renewed < identities {
		one, err := s.change(mesh.Endpoint)
		if err != nil {
			return r, err
		}
		r.during = append(r.during, one.wall)
		if now, err = s.child.do(server.Command{Task: server.AwaitRequests}); err != nil {
			return r, err
		}
		if span(begun.At, now.At) > timeout.Seconds() {
			return r, fmt.Errorf("%d of %d certificates are renewed after %s", now.Renewed, identities, timeout)
		}
	}
	now, err = s.untilIdle()
	r.wall, r.cpu = span(begun.At, now.At), span(begun.CPU, now.CPU)-median(each)*float64(len(r.during))
	return r, err
}

// write writes the table.
func (r renewed) write(out io.Writer) error {
	perRenewal := r.cpu / identities
	// Each certificate is renewed at two thirds of its lifetime.
	perSecond := identities / (server.RenewedLifetime.Seconds() * 2 / 3)
	fmt.Fprintf(out, "\nRenewal of %d certificates at once, for %d sidecars\n", identities, renewedSidecars)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "renewed and acknowledged\t%.1f s, %.0f a second\n", r.wall, identities/r.wall)
	fmt.Fprintf(w, "CPU time of a renewal\t%s\n", seconds(perRenewal))
	fmt.Fprintf(w, "with a lifetime of %s\t%.0f renewals a second, %.1f%% of a core\n", server.RenewedLifetime, perSecond, perSecond*perRenewal*100)
	for _, row := range []struct {
		name string
		of   []float64
	}{{"change of an endpoint before", r.idle}, {"change of an endpoint meanwhile", r.during}} {
		fmt.Fprintf(w, "%s\tp50 %s, p99 %s, max %s (%d changes)\n", row.name, seconds(median(row.of)), seconds(quantile(row.of, 0.99)), seconds(slices.Max(row.of)), len(row.of))
	}
	return w.Flush()
}
