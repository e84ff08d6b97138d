package teardown

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// teardownModes are the modes of a teardown, in their order.
var teardownModes = []string{names.TeardownOpen, names.TeardownPassthrough}

// setTeardownMode sets the mode for the control planes of the mesh, by an annotation of the MeshConfig, and waits until all sidecars act on
// it. It returns what it waits for: nothing when they do, when there is no control plane, or after the timeout.
func (r *Reconciler) setTeardownMode(ctx context.Context, s *scope, phase v1alpha1.RemovalPhase, mode string) (string, error) {
	config, err := r.liveMeshConfig(ctx, s)
	if err != nil || config == nil {
		return "", err
	}
	current := config.Annotations[names.TeardownAnnotation]
	if over, err := r.isPassingThrough(ctx, s, current); over || err != nil {
		return "", err
	}
	switch step := slices.Index(teardownModes, current) - slices.Index(teardownModes, mode); {
	case step > 0:
		return "", nil
	case step < 0:
		if err := r.MeshConfigs.SetTeardownMode(ctx, config, mode); err != nil {
			return "", err
		}
	}
	return r.acknowledged(ctx, s, phase)
}

// liveMeshConfig is the MeshConfig that carries the mode. One that somebody has deleted is created again. There is none when the namespace is
// gone or being deleted, and the control planes with it.
func (r *Reconciler) liveMeshConfig(ctx context.Context, s *scope) (*configv1alpha2.MeshConfig, error) {
	namespace := &corev1.Namespace{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: s.desired.Namespace}, namespace); err != nil || namespace.DeletionTimestamp != nil {
		return nil, client.IgnoreNotFound(err)
	}
	live, err := r.MeshConfigs.GetOrCreate(ctx, s.mesh)
	if err != nil {
		return nil, fmt.Errorf("the MeshConfig, which carries the mode of the teardown, cannot be read or created: %w", err)
	}
	return live, nil
}

// acknowledged returns what is missing until every sidecar acts on the mode; nothing when all do, or after the timeout of a step of an upgrade.
// Calls of sidecars that have not acknowledged by then may fail.
func (r *Reconciler) acknowledged(ctx context.Context, s *scope, phase v1alpha1.RemovalPhase) (string, error) {
	purpose := "all sidecars are being configured to accept pods without one"
	if phase == v1alpha1.RemovalTransparent {
		purpose = "all sidecars are being configured to pass all traffic through"
	}
	waited := r.Now().Sub(r.phaseStart(s, phase))
	if waited < propagationDelay {
		return purpose, nil
	}
	missing, err := r.unacknowledged(ctx, s)
	if err != nil || missing == "" {
		return "", err
	}
	if limit := observe.Bounds(s.mesh).Timeout; waited > limit {
		r.Recorder.Eventf(s.mesh, nil, corev1.EventTypeWarning, "SidecarsNotConfigured", "Configure "+string(phase), "after %s the removal goes on without some sidecars, whose calls may fail until they are gone: %s", limit.Round(time.Second), missing)
		return "", nil
	}
	return purpose + ", and " + missing, nil
}

// unacknowledged returns which sidecars are not known to have acknowledged the mode; empty when all have.
func (r *Reconciler) unacknowledged(ctx context.Context, s *scope) (string, error) {
	expected := 0
	for _, w := range s.workloads {
		if w.Ready {
			for _, n := range w.Sidecars {
				expected += n
			}
		}
	}
	root, err := r.Root(ctx, s.desired.Namespace)
	if err != nil || root == nil {
		return "the control plane cannot be asked how far they are, because the certificate authority is gone", nil
	}
	revisions, err := r.Revisions(ctx, s.mesh.Name)
	if err != nil {
		return "", err
	}
	connected, behind := 0, 0
	for i := range revisions {
		if revisions[i].Spec.Role == v1alpha1.RoleStandby || revisions[i].DeletionTimestamp != nil {
			continue
		}
		reading, err := r.Health.Read(ctx, health.TargetOf(&revisions[i], root.CertPEM()))
		if err != nil {
			return "", err
		}
		if reading.Proxies == nil {
			return "the control plane " + revisions[i].Name + " does not say how far they are", nil
		}
		connected += reading.Proxies.Connected
		behind += reading.Proxies.Behind + reading.Proxies.Rejecting
	}
	switch {
	case connected < expected:
		return fmt.Sprintf("%d of %d are connected to the control plane", connected, expected), nil
	case behind > 0:
		return fmt.Sprintf("%d have not accepted it yet", behind), nil
	}
	return "", nil
}
