package main

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/fleet"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/report"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
)

// TestMain can run the measured process instead of the tests.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args[1:], serveFlag) {
		if err := server.Run(context.Background(), os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// TestSmallMeshes measures the smallest meshes with every control plane, and checks results that do not depend on the machine: the
// number of bytes and of sidecars. A measurement ends only when every change has arrived in exactly the expected form.
func TestSmallMeshes(t *testing.T) {
	signer, err := fleet.NewSigner()
	if err != nil {
		t.Fatal(err)
	}
	p := plan{
		syncs: 1, timeout: time.Minute,
		changes: map[mesh.Kind]int{
			mesh.Nothing: 3, mesh.Endpoint: 4, mesh.Rules: 3, mesh.Grant: 3, mesh.Split: 3, mesh.Limits: 3, mesh.Retry: 3, mesh.NewService: 3,
			mesh.Egress: 3, mesh.Ingress: 3, mesh.Authorizer: 3,
		},
	}
	for _, mode := range []mesh.Mode{mesh.Policy, mesh.Visible, mesh.Outside} {
		a, err := newTestbed(p, measured{mode: mode, sidecars: 40}, signer, "")
		if err != nil {
			t.Fatal(err)
		}
		kinds, sent := []mesh.Kind{mesh.Endpoint, mesh.NewService}, map[mesh.Kind]float64{}
		switch mode {
		case mesh.Policy:
			kinds = append(kinds, mesh.PolicyOnly()...)
		case mesh.Outside:
			kinds = mesh.OutsideOnly()
		}
		for _, v := range allVariants {
			result, err := a.measure(v)
			if err != nil {
				t.Fatal(err)
			}
			for _, kind := range kinds {
				of := func(m report.Metric) float64 { return result.Values[report.Of(string(kind), m)] }
				if of(report.ChangeNothing) != 0 || of(report.ChangeTouched) == 0 {
					t.Errorf("%s, %s, %s: %g sidecars were touched, up to %g of them for nothing",
						mode, v, kind, of(report.ChangeTouched), of(report.ChangeNothing))
				}
				if v == server.Broadcast {
					sent[kind] = of(report.ChangeBytes)
				}
				most := 1.1 // versions are longer than those of the broadcast
				if kind == mesh.Limits || kind == mesh.Split {
					most = 1.5 // Envoy waits for the endpoints of a cluster that has changed, so they are sent again
				}
				if v == server.Ours && of(report.ChangeBytes) > most*sent[kind] {
					t.Errorf("%s, %s: %g bytes were sent, of which %g are needed", mode, kind, of(report.ChangeBytes), sent[kind])
				}
			}
			if share := result.Values[report.RestartShare]; v == server.Ours && share >= 0.01 {
				t.Errorf("%s: %.1f%% of the first sync was sent again after a restart", mode, share*100)
			}
		}
	}
}

func TestQuantile(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	for q, want := range map[float64]float64{0: 1, 0.25: 1, 0.5: 2, 0.51: 3, 0.99: 4, 1: 4} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %g is %g, want %g", q, got, want)
		}
	}
}
