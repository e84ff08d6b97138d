package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/fleet"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
)

// identities is the number of certificates that are renewed at once, idleChanges the number of changes measured before, and issuerDelay how long
// the external issuer takes.
const (
	identities  = 2000
	idleChanges = 50
	issuerDelay = 100 * time.Millisecond
)

// renewals measures the renewal of all certificates of a mesh at once, and how long changes of endpoints take meanwhile.
func (o options) renewals(out io.Writer) error {
	if err := pinSelf(clientCore); err != nil {
		return fmt.Errorf("this process cannot be kept on one core: %w", err)
	}
	signer, err := fleet.NewSigner()
	if err != nil {
		return err
	}
	for _, delay := range []time.Duration{0, issuerDelay} {
		r, err := o.measureRenewal(signer, delay)
		if err != nil {
			return err
		}
		if err := r.write(out, delay); err != nil {
			return err
		}
	}
	return nil
}

// renewedSidecars is the number of sidecars with one of the identities.
const renewedSidecars = identities * mesh.PodsPerService

// measureRenewal measures certificates of the control plane, or of an external issuer with a delay.
func (o options) measureRenewal(signer *fleet.Signer, delay time.Duration) (renewed, error) {
	a, err := newTestbed(plan{syncs: 1}, measured{mode: mesh.Policy, sidecars: renewedSidecars}, signer, o.profiles)
	if err != nil {
		return renewed{}, err
	}
	a.setup.IssuerDelay = delay
	s := a.session(server.Ours)
	if err := s.firstSyncs(); err != nil {
		return renewed{}, err
	}
	r, err := s.renewAll()
	if err != nil {
		return r, err
	}
	return r, s.stop()
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
func (r renewed) write(out io.Writer, delay time.Duration) error {
	perRenewal := r.cpu / identities
	// Each certificate is renewed at two thirds of its lifetime.
	perSecond := identities / (server.RenewedLifetime.Seconds() * 2 / 3)
	by := "by the control plane"
	if delay > 0 {
		by = fmt.Sprintf("with a CertificateRequest each, by an issuer that takes %s", delay)
	}
	fmt.Fprintf(out, "\nRenewal of %d certificates at once, for %d sidecars, %s\n", identities, renewedSidecars, by)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "renewed and acknowledged\t%.1f s, %.0f a second\n", r.wall, identities/r.wall)
	fmt.Fprintf(w, "CPU time of a renewal\t%s\n", seconds(perRenewal).Round(time.Microsecond))
	fmt.Fprintf(w, "with a lifetime of %s\t%.0f renewals a second, %.1f%% of a core\n", server.RenewedLifetime, perSecond, perSecond*perRenewal*100)
	for _, row := range []struct {
		name string
		of   []float64
	}{{"change of an endpoint before", r.idle}, {"change of an endpoint meanwhile", r.during}} {
		fmt.Fprintf(w, "%s\tp50 %s, p99 %s, max %s (%d changes)\n", row.name, seconds(median(row.of)), seconds(quantile(row.of, 0.99)), seconds(slices.Max(row.of)), len(row.of))
	}
	return w.Flush()
}

// seconds converts seconds for the table.
func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(10 * time.Microsecond)
}
