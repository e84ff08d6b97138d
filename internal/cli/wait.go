package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// policyKind returns the policy kind for a singular, plural or short name, or "" if there is none.
func policyKind(text string) string {
	kind, _ := kinds.Named(text)
	return kind.Kind
}

// policyKinds returns the policy kinds in lower case.
func policyKinds() []string {
	return lists.Map(kinds.Policies(), func(source kinds.Source) string { return strings.ToLower(string(source.Kind)) })
}

func (a *app) waitCommand() *cobra.Command {
	var meshName string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "wait KIND/NAME...",
		Short: "Wait until policies are in force, or a mesh or Deployment is ready",
		Long: wrapped("Wait until the control plane has accepted the current version of a policy, and all affected sidecars have acknowledged it. "+
			"The command prints the number of sidecars and the elapsed time. Kinds are "+enumerated(policyKinds(), "and")+".") + `

The exit code is 1 if a condition of the policy is False. Causes are a MeshConfig that disables its kind, another policy that takes
precedence, or a reference to an object that does not exist. It is also 1 if a sidecar rejects the policy or the timeout expires. A
policy that affects no running pod is accepted with a message of its own.

mesh/NAME waits until the current version of a Mesh and its components are ready, and fails if it is stalled. gateway/NAME,
httproute/NAME, grpcroute/NAME, tlsroute/NAME and tcproute.gateway.networking.k8s.io/NAME wait for the conditions of the Gateway API,
and for the sidecars that apply a route for a Service. Without its group, tcproute/NAME is SMI's kind. deployment/NAME waits until a
Deployment is rolled out and the sidecars of all its pods have acknowledged their configuration. It fails if a pod has no sidecar or a
sidecar rejects its configuration.`,
		Example: `  kubectl apply -f grant.yaml && osm wait -n bookstore traffictarget/bookthief-to-bookstore-v1
  osm wait mesh/osm --timeout 5m
  osm wait -n bookstore deployment/bookstore-v1`,
		Args: atLeast(1, "KIND/NAME"),
		RunE: a.runInNamespace(func(ctx context.Context, namespace string, args []string) error {
			return a.waitForAll(ctx, waitOptions{mesh: meshName, namespace: namespace, timeout: timeout}, args)
		}),
	}
	cmd.ValidArgsFunction = a.completePolicies
	a.addMeshName(cmd, &meshName, "")
	cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "time to wait")
	return cmd
}

// waited is an object that the command waits for.
type waited interface {
	fmt.Stringer
	// poll returns true when the wait is over, and an error if it will not end without a change.
	poll(ctx context.Context) (bool, error)
	// pending describes what the wait lacks, and summary the result.
	pending() string
	summary() string
}

// Kinds that the command waits for besides policies.
const (
	waitMesh       = "Mesh"
	waitDeployment = "Deployment"
)

// waitName parses "KIND/NAME". The kind may include its group, as in the output of kubectl.
func waitName(text string) (kind, name string, err error) {
	kind, name, found := strings.Cut(text, "/")
	plain, group, _ := strings.Cut(strings.ToLower(kind), ".")
	known := cmp.Or(routeKindOf(plain, group), policyKind(plain))
	switch plain {
	case "mesh", "meshes":
		known = waitMesh
	case "deployment", "deployments", "deploy":
		known = waitDeployment
	case "gateway", "gateways", "gtw":
		known = kinds.Gateway.Kind
	}
	if found && known != "" && name != "" && !strings.Contains(name, "/") {
		return known, name, nil
	}
	return "", "", fmt.Errorf("invalid object %q: must be KIND/NAME, such as traffictarget/NAME; kinds are mesh, deployment, gateway, httproute, grpcroute, tlsroute, tcproute.gateway.networking.k8s.io, %s", text, strings.Join(policyKinds(), ", "))
}

// waitOptions are the flags of the wait command.
type waitOptions struct {
	mesh, namespace string
	timeout         time.Duration
}

// waitForAll waits for objects, one after another. Policies and Deployments are those of the namespace.
func (a *app) waitForAll(ctx context.Context, o waitOptions, objects []string) error {
	var all []policyRef
	for _, text := range objects {
		kind, name, err := waitName(text)
		if err != nil {
			return err
		}
		all = append(all, policyRef{kind, o.namespace, name})
	}
	limited, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	last := "the cluster has not answered"
	err := a.waitForObjects(limited, o.mesh, all, &last)
	if ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) && err != nil {
		return fmt.Errorf("timed out after %s: %s: use a longer --timeout if it makes progress", o.timeout, last)
	}
	return err
}

// waitForObjects waits for objects. It stores what it waits for in last.
func (a *app) waitForObjects(ctx context.Context, meshName string, objects []policyRef, last *string) error {
	c, err := a.kube.Client()
	if err != nil {
		return err
	}
	waitOf, err := a.waits(ctx, c, meshName, objects)
	if err != nil {
		return err
	}
	for _, object := range objects {
		w := waitOf(object)
		err := wait.PollUntilContextCancel(ctx, waitInterval, true, func(ctx context.Context) (bool, error) {
			done, err := w.poll(ctx)
			*last = w.String() + " " + w.pending()
			a.progress().report("%s", *last)
			return done, err
		})
		if err != nil {
			return err
		}
		if p, isPolicy := w.(*policyWait); isPolicy && p.restricted() != "" {
			a.note("Warning: %s: %s", p, p.restricted())
		}
		a.line("%s (%s)", w.summary(), a.progress().elapsed())
	}
	return nil
}

// waits returns a function that returns the wait for an object. It reads the mesh only for objects of a mesh.
func (a *app) waits(ctx context.Context, c client.Client, meshName string, objects []policyRef) (func(policyRef) waited, error) {
	var m mesh
	var replicas *reportclient.Client
	if slices.ContainsFunc(objects, func(o policyRef) bool { return o.kind != waitMesh }) {
		var err error
		if m, err = a.oneMesh(ctx, c, meshName); err != nil {
			return nil, err
		}
		replicas = a.reports(ctx, c, m)
	}
	return func(o policyRef) waited {
		switch _, isRoute := routeKinds()[o.kind]; {
		case o.kind == waitMesh:
			return &meshWait{name: o.name, reader: c}
		case o.kind == waitDeployment:
			return &deploymentWait{namespace: o.namespace, name: o.name, mesh: m, reader: c, reports: replicas, now: a.now}
		case o.kind == kinds.Gateway.Kind, isRoute:
			return &gatewayWait{policyRef: o, mesh: m, reader: c, reports: replicas}
		}
		return &policyWait{policyRef: o, mesh: m, reader: c, reports: replicas}
	}, nil
}

// meshWait polls the condition Ready of a Mesh.
type meshWait struct {
	name   string
	reader client.Reader
	last   string
}

func (w *meshWait) String() string { return "Mesh " + w.name }

// poll returns true when the current generation is Ready. It returns an error if the operator will not reconcile it without a change.
func (w *meshWait) poll(ctx context.Context) (bool, error) {
	m := &v1alpha1.Mesh{}
	err := w.reader.Get(ctx, client.ObjectKey{Name: w.name}, m)
	if apierrors.IsNotFound(err) {
		return false, fmt.Errorf("Mesh %s not found: list meshes with `osm mesh list`", w.name) //nolint:staticcheck // begins with a kind
	}
	if err != nil {
		return false, err
	}
	ready := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.ObservedGeneration != m.Generation {
		w.last = "the operator has not reconciled its newest version"
		return false, nil
	}
	w.last = ready.Reason + ": " + ready.Message
	stalled := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionStalled)
	if stalled != nil && stalled.Status == metav1.ConditionTrue && stalled.ObservedGeneration == m.Generation {
		return false, fmt.Errorf("Mesh %s is stalled: %s: %s", w.name, stalled.Reason, stalled.Message) //nolint:staticcheck // begins with a kind
	}
	if ready.Status != metav1.ConditionTrue {
		return false, nil
	}
	return w.pollComponents(m), nil
}

// pollComponents returns true when the components that the Mesh enables are ready. A Mesh without the condition has none.
func (w *meshWait) pollComponents(m *v1alpha1.Mesh) bool {
	components := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionComponentsReady)
	switch {
	case components == nil, components.Status == metav1.ConditionTrue && components.ObservedGeneration == m.Generation:
		return true
	case components.ObservedGeneration != m.Generation:
		w.last = "the operator has not reconciled the components of its newest version"
	default:
		w.last = components.Reason + ": " + components.Message
	}
	return false
}

func (w *meshWait) pending() string { return "is not ready: " + w.last }
func (w *meshWait) summary() string { return w.String() + " is ready" }
