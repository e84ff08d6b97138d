package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/checks"
	"github.com/openservicemesh/osm-operator/internal/cli/connectivity"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/operator/clusterload"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func (a *app) checkCommand() *cobra.Command {
	var preInstall bool
	var meshName string
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the health of a mesh, or whether a cluster can run one",
		Long: `Check the operator, the control plane, namespaces, sidecars and policies of a mesh. Each problem is printed with its remedy.
With --pre-install, check whether the cluster supports a mesh and whether you have the permissions to install it. The exit code is 1
if a check fails.`,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			if preInstall {
				return a.check(ctx, meshName, false, &form, checks.Subject.PreInstall)
			}
			return a.check(ctx, meshName, true, &form, checks.Subject.ControlPlane, checks.Subject.DataPlane, checks.Subject.Policies)
		}),
	}
	cmd.Flags().BoolVar(&preInstall, "pre-install", false, "check whether the cluster can run a mesh")
	a.addMeshAndOutput(cmd, &meshName, &form)
	return cmd
}

func (a *app) verifyCommand() *cobra.Command {
	var meshName string
	var form output.Flag
	health := &cobra.Command{
		Use:   "control-plane-health",
		Short: "Check the health of the control plane",
		Long:  `Check the Deployments, Services, webhooks and health probes of a control plane. "osm check" also checks namespaces, sidecars and policies.`,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.check(ctx, meshName, true, &form, checks.Subject.ControlPlane)
		}),
	}
	a.addMeshName(health, &meshName, "")
	form.AddTo(health.Flags())
	return group("verify", "Verify connectivity and the control plane", nil, a.connectivityCommand(), a.verifyIngressCommand(), health)
}

// check runs checks and prints the results.
func (a *app) check(ctx context.Context, meshName string, existing bool, form *output.Flag,
	parts ...func(checks.Subject, context.Context) []diagnosis.Finding,
) error {
	subject, err := a.subject(ctx, meshName, existing)
	if err != nil {
		return err
	}
	a.progress().report("checking mesh %s", subject.Mesh)
	var groups []diagnosis.Finding
	for _, part := range parts {
		groups = append(groups, part(subject, ctx)...)
	}
	result := diagnosis.Group("mesh "+subject.Mesh, groups...)
	err = form.Print(a.Out, output.Result{Data: result, Names: nameOf(result), Text: result.PrintGroups})
	return exitIf(result.Severity == diagnosis.Error, exitFailed, err)
}

// subject returns the mesh to check. If the cluster has none, it is the mesh that would be installed. With existing, another mesh than those
// of the cluster is an error.
func (a *app) subject(ctx context.Context, meshName string, existing bool) (checks.Subject, error) {
	c, err := a.kube.Client()
	if err != nil {
		return checks.Subject{}, err
	}
	subject := checks.Subject{
		Client: c, Mesh: meshName, Namespace: a.kube.OSMNamespace, Now: a.now(), Kubernetes: a.kubernetesVersion,
		Probe: func(ctx context.Context, namespace, pod string, port int, path string) error {
			_, err := a.kube.PodAnswer(ctx, namespace, pod, port, path)
			return err
		},
	}
	// Fail early if the API server cannot be reached.
	if _, err := a.kubernetesVersion(); err != nil {
		return checks.Subject{}, err
	}
	all, err := a.meshes(ctx, c)
	if err == nil {
		m, err := selectMesh(meshName, all)
		switch {
		case err == nil:
			subject.Mesh, subject.Namespace, subject.CanarySuffix = m.Name, m.Namespace, m.canarySuffix
		case len(all) > 0 && (existing || meshName == ""):
			return checks.Subject{}, err
		}
	}
	subject.Mesh = cmp.Or(subject.Mesh, names.DefaultMesh)
	subject.Meshes = siblingsOf(subject.Mesh, all)
	return subject, nil
}

func (a *app) kubernetesVersion() (*version.Info, error) {
	clients, err := a.kube.Clientset()
	if err != nil {
		return nil, err
	}
	return clients.Discovery().ServerVersion()
}

// ingressOptions are the flags of the verify ingress command.
type ingressOptions struct {
	fromService      string
	toPod, toService string
	ingressBackend   string
	port             uint16
	protocol         string
}

func (a *app) verifyIngressCommand() *cobra.Command {
	var o ingressOptions
	cmd := &cobra.Command{
		Use:   "ingress --ingress-backend NAME",
		Short: "Verify that traffic from an ingress reaches a pod",
		Long: `Verify the objects between an ingress and a pod of the mesh: the Service of the ingress, the pod, and its Service. Verify also
that the IngressBackend admits the connection. If that Service is the ingress gateway of the mesh, the steps check its Gateways
and HTTPRoutes instead. They also check whether policies allow it to call the Service of the pod. Specify names as NAMESPACE/NAME;
the default namespace is the one of -n.`,
		Example: `  osm verify ingress --from-service ingress/gateway --to-pod shop/web-0 --to-service web --ingress-backend web --to-port 8080
  osm verify ingress --from-service osm-system/osm-ingress-gateway --to-service shop/web`,
	}
	f := cmd.Flags()
	f.StringVar(&o.fromService, "from-service", "", "Service of the ingress")
	f.StringVar(&o.toPod, "to-pod", "", "destination pod")
	f.StringVar(&o.toService, "to-service", "", "Service of the destination pod; the default namespace is the pod's")
	f.StringVar(&o.ingressBackend, "ingress-backend", "", "IngressBackend that allows the ingress; the default namespace is the pod's")
	f.Uint16Var(&o.port, "to-port", 0, "port of the pod")
	f.StringVar(&o.protocol, "app-protocol", "http", "application protocol: http or https")
	return a.forMesh(cmd, func(ctx context.Context, c client.Client, m mesh, form *output.Flag, _ []string) error {
		return a.verifyIngress(ctx, c, m, o, form)
	})
}

// ingressBackendKind is the OSM kind that allows ingress traffic.
var ingressBackendKind = schema.GroupVersionKind{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: "IngressBackend"}

func (a *app) verifyIngress(ctx context.Context, c client.Client, found mesh, o ingressOptions, form *output.Flag) error {
	namespace, err := a.kube.Namespace()
	if err != nil {
		return err
	}
	inside := parseName(namespace, o.toPod).Namespace
	objects := []struct {
		flag, text, namespace string
		kind                  schema.GroupVersionKind
	}{
		{"from-service", o.fromService, namespace, schema.GroupVersionKind{Version: "v1", Kind: "Service"}},
		{"to-pod", o.toPod, namespace, schema.GroupVersionKind{Version: "v1", Kind: "Pod"}},
		{"to-service", o.toService, inside, schema.GroupVersionKind{Version: "v1", Kind: "Service"}},
		{"ingress-backend", o.ingressBackend, inside, ingressBackendKind},
	}
	var parts []diagnosis.Finding
	for _, k := range objects {
		if k.text != "" {
			name := parseName(k.namespace, k.text)
			parts = append(parts, a.exists(ctx, c, k.kind, client.ObjectKey{Namespace: name.Namespace, Name: name.Name}, k.flag))
		}
	}
	from := parseName(namespace, o.fromService)
	gateway := o.fromService != "" && from.Namespace == found.Namespace && (from.Name == names.IngressGateway || names.IsDedicatedGateway(from.Name))
	if gateway && o.ingressBackend != "" {
		return errors.New("--ingress-backend cannot be combined with the ingress gateway of the mesh: TrafficTargets allow its requests, as those of other clients of the mesh")
	}
	if gateway || o.ingressBackend != "" {
		loaded, err := clusterload.Load(ctx, c, found.Name, found.Namespace)
		if err != nil {
			return err
		}
		if gateway {
			parts = append(parts, connectivity.VerifyIngressGateway(loaded.Catalog.View(), from.Name, serviceOf(inside, o.toService))...)
		} else {
			i := connectivity.Ingress{Policy: parseName(inside, o.ingressBackend), Service: serviceOf(inside, o.toService), Port: o.port, Protocol: o.protocol}
			i.Gateway = serviceOf(namespace, o.fromService)
			policy, _ := loaded.Entries[entity.Ref{Kind: ingressbackend.Kind, Name: i.Policy}].(*ingressbackend.Policy)
			parts = append(parts, connectivity.VerifyIngress(loaded.Catalog.View(), policy, i)...)
		}
	}
	return a.printSteps(diagnosis.Group("Verify if the ingress can access the mesh", parts...), form)
}

// serviceOf parses the name of a Service; empty for none.
func serviceOf(namespace, text string) entity.Name {
	if text == "" {
		return entity.Name{}
	}
	return parseName(namespace, text)
}

// exists checks that an object exists.
func (a *app) exists(ctx context.Context, c client.Client, kind schema.GroupVersionKind, key client.ObjectKey, flag string) diagnosis.Finding {
	f := diagnosis.Finding{Severity: diagnosis.Error, Check: fmt.Sprintf("%s %q exists", kind.Kind, key)}
	err := c.Get(ctx, key, kinds.Object(kind))
	switch {
	case err == nil:
		f.Severity = diagnosis.OK
	case kube.IsUndefined(err):
		f.Message = fmt.Sprintf("the cluster has no CRD for kind %s", kind.Kind)
	case client.IgnoreNotFound(err) == nil:
		f.Message, f.Remedy = "not found", "create it, or check --"+flag
	default:
		f.Severity, f.Message = diagnosis.Unknown, a.kube.Sentence(err).Error()
	}
	return f
}
