package journeys

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// shakeHands performs a TLS handshake from the outsider with a pod's sidecar.
func shakeHands(t *testing.T, outsider, server workload) (*report.Handshake, error) {
	t.Helper()
	return outsider.Handshake(t.Context(), net.JoinHostPort(server.ips(t)[0], strconv.Itoa(lab.HTTPPort)), names.ServiceHost(server.name, server.namespace))
}

func TestCertificateIdentifiesWorkloadAndIsRequired(t *testing.T) {
	t.Parallel()
	s := sharedFixture(t)
	for _, who := range []workload{s.server, s.other} {
		seen, err := shakeHands(t, s.outsider, who)
		lab.Must(t, err)
		if want := fmt.Sprintf("%s.%s.%s", who.name, who.namespace, names.DefaultTrustDomain); !slices.Equal(seen.DNSNames, []string{want}) {
			t.Errorf("DNS names are %v, want only %s", seen.DNSNames, want)
		}
		if want := fmt.Sprintf("spiffe://%s/%s/%s", names.DefaultTrustDomain, who.name, who.namespace); !slices.Equal(seen.URIs, []string{want}) {
			t.Errorf("URIs are %v, want only %s", seen.URIs, want)
		}
		if seen.Error == "" {
			t.Errorf("%s accepts a client without a certificate", who.name)
		}
		t.Logf("%s: %v %v valid until %s; error of the server: %s", who.name, seen.DNSNames, seen.URIs, seen.NotAfter, seen.Error)
	}
}

func TestShortLivedCertificateRotatesUnderTraffic(t *testing.T) {
	t.Parallel()
	patchMeshConfig(t, `{"spec":{"certificate":{"serviceCertValidityDuration":"2m"}}}`, `{"spec":{"certificate":{"serviceCertValidityDuration":"24h"}}}`)
	outside, ns := createNamespace(t, "rotation-outside", outsideMesh), meshNamespace(t, "rotation")
	applyPolicies(t, routeGroup(ns, "any", "all=.*"), grant{namespace: ns, name: "any", destination: "server", source: ns + "/client", rules: []string{"any"}}.String())
	workloads := createWorkloads(t, ns, "server", "client")
	outsider := createWorkloads(t, outside, "outsider")["outsider"]
	client, server := workloads["client"], workloads["server"]
	client.expect(t, server.url("/"), "200")

	first, err := shakeHands(t, outsider, server)
	lab.Must(t, err)
	// A certificate is valid from some minutes ago, to tolerate clock skew.
	if left := time.Until(first.NotAfter); left < 30*time.Second || left > 2*time.Minute {
		t.Fatalf("a certificate issued after the change to 2m expires in %s", left)
	}
	load, err := client.StartRequests(t.Context(), server.url("/"), "--rate", "25")
	lab.Must(t, err)
	lab.Eventually(t, time.Until(first.NotAfter), "a new certificate before the first one expires", func(ctx context.Context) (bool, string, error) {
		seen, err := shakeHands(t, outsider, server)
		if err != nil {
			return false, "", err
		}
		return seen.Serial != "" && seen.Serial != first.Serial, "serial " + seen.Serial, nil
	})
	t.Logf("renewed %s before its expiry", time.Until(first.NotAfter).Round(time.Second))
	// Traffic must succeed after the first certificate has expired.
	sleep(t, time.Until(first.NotAfter.Add(3*time.Second)))
	result, err := load.Stop(t.Context())
	lab.Must(t, err)
	requireNoFailures(t, result, 1000)
}
