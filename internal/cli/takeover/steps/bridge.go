package steps

import (
	"context"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/checks"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	survey "github.com/openservicemesh/osm-operator/internal/cli/takeover"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// bridgeOpener lets a Mesh serve the sidecars of the Open Service Mesh while workloads restart.
type bridgeOpener struct {
	*Session
	mesh *v1alpha1.Mesh
	// duration is how long the bridge is open.
	duration time.Duration
	// unserved returns the number of sidecars of the Open Service Mesh that the Mesh does not serve.
	unserved func(context.Context) (int, error)
}

// checkBridge checks the flag --bridge.
func checkBridge(duration time.Duration) error {
	least, most := v1alpha1.MinBridgeDuration, v1alpha1.MaxBridgeDuration
	if duration != 0 && (duration < least || duration > most) {
		return fmt.Errorf("invalid --bridge %s: must be between %s and %s, or 0 for none", duration, v1alpha1.NewDuration(least), v1alpha1.NewDuration(most))
	}
	return nil
}

// openBridge opens the bridge before workloads restart, if the user wants it. It is repeated as long as the restarts are not declared, because it may have
// been interrupted. It returns false if the user rejects.
func (s *Session) openBridge(ctx context.Context, m *v1alpha1.Mesh, o Options) (bool, error) {
	spec := declaredTakeover(m)
	declared, _ := parseStep(string(spec.Declared))
	restarting, _ := parseStep(string(v1alpha1.AdoptionRestarting))
	if declared > restarting || declared == restarting && spec.ServeSidecars {
		return true, nil
	}
	if o.Bridge == 0 {
		if declared < restarting && !spec.ServeSidecars {
			s.recommendBridge(ctx, m.Name, spec.From)
		}
		return true, nil
	}
	question := fmt.Sprintf("Let Mesh %s serve the sidecars of the Open Service Mesh for %s, and restart the Deployment %s in namespace %s, so that they connect to it?",
		m.Name, o.Bridge, names.Controller, spec.From)
	yes, err := s.Confirm(o.Yes, question)
	if err != nil || !yes {
		return false, err
	}
	opener := bridgeOpener{
		Session: s, mesh: m, duration: o.Bridge, unserved: func(ctx context.Context) (int, error) { return s.Unserved(ctx, m.Name) },
	}
	limited, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	if err := opener.open(limited); err != nil {
		return false, fmt.Errorf("the sidecars of the Open Service Mesh are not served by Mesh %s: %w. Repeat the command to wait on, leave out --bridge to go on, or go back with `osm migrate rollback`", m.Name, s.Sentence(err))
	}
	s.Line("Mesh %s serves the sidecars of the Open Service Mesh (%s)", m.Name, s.Elapsed())
	return true, nil
}

// recommendBridge tells the user why the restarts should have the flag --bridge. The plan has these reasons too, but a command that resumes a takeover does
// not print it.
func (s *Session) recommendBridge(ctx context.Context, mesh, from string) {
	reasons, err := survey.BridgeReasons(ctx, checks.Subject{Client: s.Client, Mesh: mesh}, from)
	switch {
	case err != nil:
		s.Note("Cannot read whether the restarts need --bridge: %s", s.Sentence(err))
	case len(reasons) > 0:
		s.Note("Sidecars of the Open Service Mesh may lose requests while workloads restart: %s. With `osm migrate run --bridge 72h`, the Mesh serves them meanwhile", strings.Join(reasons, "; "))
	}
}

// open declares the bridge and the redirection, restarts the controller of the Open Service Mesh, and waits until its sidecars are connected to the Mesh.
func (o bridgeOpener) open(ctx context.Context) error {
	fields := map[string]any{"service": v1alpha1.AdoptionServiceRedirect, "bridge": map[string]any{"duration": v1alpha1.NewDuration(o.duration)}}
	if err := o.declare(ctx, o.mesh, fields); err != nil {
		return err
	}
	last, err := o.await(ctx, o.mesh, func() (bool, string) { return bridgeState(o.mesh) })
	if err == nil {
		err = o.restartController(ctx)
	}
	if err == nil {
		last, err = o.awaitSidecars(ctx)
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("not in effect %s: %s", untilWhen(ctx), last)
	}
	return err
}

// bridgeState returns whether the bridge is open and the Service of the Open Service Mesh leads to the Mesh, and what is missing.
func bridgeState(m *v1alpha1.Mesh) (done bool, text string) {
	for _, kind := range []string{v1alpha1.ConditionServingOSMSidecars, v1alpha1.ConditionReady} {
		c := meta.FindStatusCondition(m.Status.Conditions, kind)
		if c == nil || c.ObservedGeneration != m.Generation {
			return false, ""
		}
		if c.Status != "True" {
			return false, c.Reason + ": " + c.Message
		}
	}
	return takeover.IsRedirected(m), fmt.Sprintf("the Service %s of the Open Service Mesh does not lead to the Mesh yet", names.Controller)
}

// restartController restarts the controller of the Open Service Mesh as kubectl does, and waits until its pods are replaced. One that is removed has
// no connections.
func (o bridgeOpener) restartController(ctx context.Context) error {
	key := types.NamespacedName{Namespace: declaredTakeover(o.mesh).From, Name: names.Controller}
	controller := &appsv1.Deployment{}
	controller.Namespace, controller.Name = key.Namespace, key.Name
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
		"annotations": map[string]string{"kubectl.kubernetes.io/restartedAt": o.Now().UTC().Format(time.RFC3339)},
	}}}})
	if err != nil {
		return err
	}
	if err := o.Client.Patch(ctx, controller, client.RawPatch(types.StrategicMergePatchType, patch)); err != nil {
		return client.IgnoreNotFound(err)
	}
	return wait.PollUntilContextCancel(ctx, o.PollInterval, true, func(ctx context.Context) (bool, error) {
		if err := o.Client.Get(ctx, key, controller); err != nil {
			return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		}
		o.Report("waiting until the pods of Deployment %s are replaced", key)
		return isReplaced(controller), nil
	})
}

// isReplaced reports whether all pods of a Deployment are those of its template, and available.
func isReplaced(d *appsv1.Deployment) bool {
	want, s := ptr.Deref(d.Spec.Replicas, 1), d.Status
	return s.ObservedGeneration >= d.Generation && s.UpdatedReplicas >= want && s.AvailableReplicas >= want && s.Replicas == s.UpdatedReplicas
}

// awaitSidecars waits until the Mesh serves all sidecars of the Open Service Mesh. It returns what it waits for.
func (o bridgeOpener) awaitSidecars(ctx context.Context) (last string, err error) {
	err = wait.PollUntilContextCancel(ctx, o.PollInterval, true, func(ctx context.Context) (bool, error) {
		left, err := o.unserved(ctx)
		last = fmt.Sprintf("%s of the Open Service Mesh not connected to the Mesh: see `osm proxy status`", output.Count(left, "sidecar"))
		if err != nil {
			last = "cannot read which sidecars are connected: " + err.Error()
		}
		o.Report("%s", last)
		return err == nil && left == 0, nil
	})
	return last, err
}
