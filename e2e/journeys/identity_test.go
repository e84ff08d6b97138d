package journeys

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// knock shows the outsider the certificate of the sidecar in front of somebody.
func knock(t *testing.T, outsider, who person) (*report.Handshake, error) {
	t.Helper()
	v4, _ := who.ips(t)
	return outsider.Handshake(t.Context(), fmt.Sprintf("%s:%d", v4, lab.HTTPPort), names.ServiceHost(who.name, who.namespace))
}

func TestACertificateNamesItsWorkloadAndClientsNeedOne(t *testing.T) {
	t.Parallel()
	s := theStage(t)
	for _, who := range []person{s.server, s.other} {
		seen, err := knock(t, s.outsider, who)
		must(t, err)
		if want := fmt.Sprintf("%s.%s.%s", who.name, who.namespace, names.DefaultTrustDomain); !slices.Equal(seen.DNSNames, []string{want}) {
			t.Errorf("DNS names are %v, want %s alone", seen.DNSNames, want)
		}
		if want := fmt.Sprintf("spiffe://%s/%s/%s", names.DefaultTrustDomain, who.name, who.namespace); !slices.Equal(seen.URIs, []string{want}) {
			t.Errorf("URIs are %v, want %s alone", seen.URIs, want)
		}
		if seen.Error == "" {
			t.Errorf("%s lets in a client that shows no certificate", who.name)
		}
		t.Logf("%s: %v %v valid until %s; the server said: %s", who.name, seen.DNSNames, seen.URIs, seen.NotAfter, seen.Error)
	}
}

func TestACertificateOfTwoMinutesRotatesUnderTraffic(t *testing.T) {
	t.Parallel()
	configure(t, `{"spec":{"certificate":{"serviceCertValidityDuration":"2m"}}}`, `{"spec":{"certificate":{"serviceCertValidityDuration":"24h"}}}`)
	outside, ns := namespace(t, "rotation-outside", outsideMesh), meshNamespace(t, "rotation")
	put(t, routeGroup(ns, "any", "all=.*"), grant{namespace: ns, name: "any", destination: "server", source: ns + "/client", rules: []string{"any"}}.String())
	people := pods(t, ns, "server", "client")
	outsider := pods(t, outside, "outsider")["outsider"]
	client, server := people["client"], people["server"]
	client.gets(t, server.url("/"), "200")

	first, err := knock(t, outsider, server)
	must(t, err)
	// It begins some minutes early, for clocks that differ.
	if left := time.Until(first.NotAfter); left < 30*time.Second || left > 2*time.Minute {
		t.Fatalf("a certificate made after the setting was changed to 2m ends in %s", left)
	}
	load, err := client.StartRequests(t.Context(), server.url("/"), "--rate", "25")
	must(t, err)
	eventually(t, time.Until(first.NotAfter), "another certificate before the first one ends", func(ctx context.Context) (bool, string, error) {
		seen, err := knock(t, outsider, server)
		if err != nil {
			return false, "", err
		}
		return seen.Serial != "" && seen.Serial != first.Serial, "serial " + seen.Serial, nil
	})
	t.Logf("renewed %s before its end", time.Until(first.NotAfter).Round(time.Second))
	// Traffic must go on past the end of the first certificate.
	await(t, time.Until(first.NotAfter.Add(3*time.Second)))
	result, err := load.Stop(t.Context())
	must(t, err)
	onlySuccess(t, result, 1000)
}
