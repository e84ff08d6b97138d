package steps

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
)

// Back goes back to the Open Service Mesh.
func (s *Session) Back(ctx context.Context, o Options) error {
	m, err := s.meshOf(ctx, s.From)
	if err != nil {
		return err
	}
	if m == nil {
		return errors.New("no Mesh takes over from an Open Service Mesh: there is nothing to take back")
	}
	from := declaredTakeover(m).From
	running, err := takeover.ReadRunning(ctx, s.Client, from)
	if err != nil {
		return err
	}
	if !running.HasController {
		return fmt.Errorf("the Open Service Mesh in namespace %s is removed, so Mesh %s cannot go back to it: install it again as in docs/migration.md", from, m.Name)
	}
	yes, err := s.Confirm(o.Yes, fmt.Sprintf("Give new pods and the workloads of Mesh %s back to the Open Service Mesh in namespace %s?", m.Name, from))
	if err != nil || !yes {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	for _, fields := range rollbackChanges(m) {
		if err := s.declare(ctx, m, fields); err != nil {
			return s.Sentence(err)
		}
		if err := s.awaitReturn(limited, m); err != nil {
			return err
		}
	}
	s.Line("Mesh %s has no sidecar any more, and the Open Service Mesh in namespace %s serves all workloads. To remove the Mesh, run kubectl delete mesh %s", m.Name, from, m.Name)
	return nil
}

// rollbackChanges returns the changes of spec.adoption that go back, in their order. A Mesh that is ready serves the sidecars of the Open Service Mesh until
// workloads are back: it knows earlier than the Open Service Mesh when a pod ends.
func rollbackChanges(m *v1alpha1.Mesh) []map[string]any {
	if takeover.IsRedirected(m) && meta.IsStatusConditionTrue(m.Status.Conditions, v1alpha1.ConditionReady) {
		return []map[string]any{{"step": v1alpha1.AdoptionPrepared}, {"service": nil, "bridge": nil}}
	}
	return []map[string]any{{"step": v1alpha1.AdoptionPrepared, "service": nil, "bridge": nil}}
}

// awaitReturn waits until the first step is in effect again and no sidecar of the Mesh is left.
func (s *Session) awaitReturn(ctx context.Context, m *v1alpha1.Mesh) error {
	last, err := s.await(ctx, m, func() (bool, string) {
		done, text := stepState(m, v1alpha1.AdoptionPrepared)
		if done && m.Status.Adoption.Sidecars > 0 {
			return false, fmt.Sprintf("%s of the Mesh left: %s", output.Count(int(m.Status.Adoption.Sidecars), "sidecar"), text)
		}
		return done, text
	})
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("the workloads are not back %s: %s. Repeat `osm migrate rollback` to wait on", untilWhen(ctx), last)
	}
	return err
}
