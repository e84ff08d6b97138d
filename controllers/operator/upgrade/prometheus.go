package upgrade

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	component "github.com/openservicemesh/osm-operator/internal/operator/component/prometheus"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
)

// Prometheus returns the share of requests that failed, by a query, at a moment.
type Prometheus interface {
	ErrorRate(ctx context.Context, target prometheus.Target, query string, at time.Time) (float64, error)
}

// addPrometheus adds what the Prometheus server of a Mesh reports to an observation, if there is one. Prometheus stores the error rate
// before the step, so it is queried for that too.
func (r *Reconciler) addPrometheus(ctx context.Context, p *pass, o rollout.Observation) rollout.Observation {
	declared, optional := gateServer(p.mesh)
	if declared == nil {
		return o
	}
	asked := &rollout.Prometheus{Address: declared.Address, Optional: optional}
	o.Prometheus = asked
	token, err := r.token(ctx, p)
	if err != nil {
		asked.Reason = err.Error()
		return o
	}
	target := prometheus.Target{Address: asked.Address, Roots: []byte(ptr.Deref(declared.CABundle, "")), Token: token}
	query, err := r.query(ctx, p, declared)
	if err != nil {
		asked.Reason = err.Error()
		return o
	}
	rate, err := r.Prometheus.ErrorRate(ctx, target, query, o.Now)
	if err != nil {
		asked.Reason = err.Error()
		return o
	}
	if baseline := p.current.Status.Baseline; baseline != nil {
		asked.Baseline, err = r.Prometheus.ErrorRate(ctx, target, query, baseline.Time.Time)
		if err != nil && !errors.Is(err, prometheus.ErrNoData) {
			asked.Reason = err.Error()
			return o
		}
	}
	asked.ErrorRate = &rate
	return o
}

// gateServer returns the server that gates query: the one of spec.upgrade.gates, or else that of spec.observability. Upgrades do not wait
// for the latter.
func gateServer(mesh *v1alpha1.Mesh) (server *v1alpha1.PrometheusSpec, optional bool) {
	_, gates, _ := desired.UpgradeSettings(mesh)
	if gates.Prometheus != nil {
		return gates.Prometheus, false
	}
	if address := component.Address(mesh); address != "" {
		return &v1alpha1.PrometheusSpec{Address: address, CABundle: component.Settings(mesh).CABundle}, true
	}
	return nil, false
}

// token returns the bearer token for the server, or "" without a Secret.
func (r *Reconciler) token(ctx context.Context, p *pass) (string, error) {
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: p.desired.Namespace, Name: names.PrometheusTokenSecret}
	if err := r.Live.Get(ctx, key, secret); err != nil {
		if apierrors.IsNotFound(err) {
			return "", nil
		}
		return "", fmt.Errorf("the Secret %s cannot be read: %w", key, err)
	}
	token := strings.TrimSpace(string(secret.Data["token"]))
	if token == "" {
		return "", fmt.Errorf("the Secret %s has no key token: add it, or delete the Secret", key)
	}
	return token, nil
}

// query is what a Prometheus is asked: by default about all namespaces of the mesh, and those where its sidecars are. The ones without
// sidecars count because all pods of a namespace may be being replaced at the moment, and then its failures must not be overlooked.
func (r *Reconciler) query(ctx context.Context, p *pass, declared *v1alpha1.PrometheusSpec) (string, error) {
	if declared.Query != nil {
		return *declared.Query, nil
	}
	members, err := r.Members(ctx, p.mesh.Name)
	if err != nil {
		return "", err
	}
	namespaces := map[string]bool{}
	for i := range members {
		namespaces[members[i].Name] = true
	}
	for _, w := range p.situation.Workloads {
		namespaces[w.Ref.Namespace] = true
	}
	return prometheus.Query(slices.Collect(maps.Keys(namespaces))), nil
}
