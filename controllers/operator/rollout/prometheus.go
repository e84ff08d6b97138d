package rollout

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/prometheus"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// Prometheus tells which share of requests fails, by a query, at a moment.
type Prometheus interface {
	ErrorRate(ctx context.Context, target prometheus.Target, query string, at time.Time) (float64, error)
}

// addPrometheus adds what a Prometheus says to an observation, if the Mesh names one. It remembers by itself how things were before the
// step, so that is asked, too.
func (r *Reconciler) addPrometheus(ctx context.Context, s *scope, o rollout.Observation) rollout.Observation {
	_, gates, _ := observe.UpgradeSettings(s.mesh)
	if gates.Prometheus == nil {
		return o
	}
	asked := &rollout.Prometheus{Address: gates.Prometheus.Address}
	o.Prometheus = asked
	target := prometheus.Target{Address: asked.Address, Roots: gates.Prometheus.CABundle}
	query, err := r.query(ctx, s, gates.Prometheus)
	if err != nil {
		asked.Reason = err.Error()
		return o
	}
	rate, err := r.Prometheus.ErrorRate(ctx, target, query, o.Now)
	if err != nil {
		asked.Reason = err.Error()
		return o
	}
	if baseline := s.current.Status.Baseline; baseline != nil {
		asked.Baseline, err = r.Prometheus.ErrorRate(ctx, target, query, baseline.Time.Time)
		if err != nil && !errors.Is(err, prometheus.ErrNoData) {
			asked.Reason = err.Error()
			return o
		}
	}
	asked.ErrorRate = &rate
	return o
}

// query is what a Prometheus is asked: by default about all namespaces of the mesh, and those where its sidecars are. The ones without
// sidecars count because all pods of a namespace may be being replaced at the moment, and then its failures must not be overlooked.
func (r *Reconciler) query(ctx context.Context, s *scope, declared *v1alpha1.PrometheusSpec) (string, error) {
	if declared.Query != nil {
		return *declared.Query, nil
	}
	members, err := r.Members(ctx, s.mesh.Name)
	if err != nil {
		return "", err
	}
	namespaces := map[string]bool{}
	for i := range members {
		namespaces[members[i].Name] = true
	}
	for _, w := range s.situation.Workloads {
		namespaces[w.Ref.Namespace] = true
	}
	return prometheus.Query(slices.Collect(maps.Keys(namespaces))), nil
}
