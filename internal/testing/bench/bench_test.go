package main

import (
	"context"
	"os"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
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
	few := map[mesh.Kind]int{mesh.Endpoint: 4}
	for _, mode := range mesh.Modes() {
		kinds, sent := mesh.Kinds(mode), map[mesh.Kind]float64{}
		for _, kind := range kinds {
			few[kind] = max(few[kind], 3)
		}
		a, err := newTestbed(shape{mode, 40}, few)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range variants {
			result, err := a.measure(v)
			if err != nil {
				t.Fatal(err)
			}
			for _, kind := range kinds[1:] {
				value := func(m metric) float64 { return result.Values[m.of(kind)] }
				reachesNobody := mode == mesh.OnDemand && kind == mesh.NewService // which nobody calls yet
				if value(changeNothing) != 0 || (value(changeTouched) == 0) != reachesNobody {
					t.Errorf("%s, %s, %s: %g sidecars were touched, up to %g of them for nothing",
						mode, v, kind, value(changeTouched), value(changeNothing))
				}
				if v == server.Broadcast {
					sent[kind] = value(changeBytes)
				}
				const most = 1.1 // versions are longer than those of the broadcast
				if v == server.Ours && value(changeBytes) > most*sent[kind] {
					t.Errorf("%s, %s: %g bytes were sent, of which %g are needed", mode, kind, value(changeBytes), sent[kind])
				}
			}
			if share := result.Values[restartShare]; v == server.Ours && share >= 0.01 {
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
