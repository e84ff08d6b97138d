package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/connectivity"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// ingressOptions are the flags of the verify ingress command.
type ingressOptions struct {
	mesh             string
	fromService      string
	toPod, toService string
	ingressBackend   string
	port             uint16
	protocol         string
}

func (a *app) verifyIngressCommand() *cobra.Command {
	var o ingressOptions
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "ingress --ingress-backend NAME",
		Short: "Verify that traffic from an ingress reaches a pod",
		Long: `Verify the objects between an ingress and a pod of the mesh: the Service of the ingress, the pod, and its Service. Verify also
that the IngressBackend admits the connection. If that Service is the ingress gateway of the mesh, the steps check its Gateways
and HTTPRoutes instead. They also check whether policies allow it to call the Service of the pod. Specify names as NAMESPACE/NAME;
the default namespace is the one of -n.`,
		Example: `  osm verify ingress --from-service ingress/gateway --to-pod shop/web-0 --to-service web --ingress-backend web --to-port 8080
  osm verify ingress --from-service osm-system/osm-ingress-gateway --to-service shop/web`,
		Args: exactly(0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.verifyIngress(ctx, o, &form) }),
	}
	f := cmd.Flags()
	a.addMeshName(cmd, &o.mesh, "")
	f.StringVar(&o.fromService, "from-service", "", "Service of the ingress")
	f.StringVar(&o.toPod, "to-pod", "", "destination pod")
	f.StringVar(&o.toService, "to-service", "", "Service of the destination pod; the default namespace is the pod's")
	f.StringVar(&o.ingressBackend, "ingress-backend", "", "IngressBackend that allows the ingress; the default namespace is the pod's")
	f.Uint16Var(&o.port, "to-port", 0, "port of the pod")
	f.StringVar(&o.protocol, "app-protocol", "http", "application protocol: http or https")
	form.AddTo(f)
	return cmd
}

// ingressBackendKind is the OSM kind that allows ingress traffic.
var ingressBackendKind = schema.GroupVersionKind{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: "IngressBackend"}

func (a *app) verifyIngress(ctx context.Context, o ingressOptions, form *output.Flag) error {
	c, found, err := a.open(ctx, o.mesh, form)
	if err != nil {
		return err
	}
	namespace, err := a.kube.Namespace()
	if err != nil {
		return err
	}
	inside := parseName(namespace, o.toPod).Namespace
	kinds := []struct {
		flag, text, namespace string
		kind                  schema.GroupVersionKind
	}{
		{"from-service", o.fromService, namespace, schema.GroupVersionKind{Version: "v1", Kind: "Service"}},
		{"to-pod", o.toPod, namespace, schema.GroupVersionKind{Version: "v1", Kind: "Pod"}},
		{"to-service", o.toService, inside, schema.GroupVersionKind{Version: "v1", Kind: "Service"}},
		{"ingress-backend", o.ingressBackend, inside, ingressBackendKind},
	}
	var parts []connectivity.Check
	for _, k := range kinds {
		if k.text != "" {
			name := parseName(k.namespace, k.text)
			parts = append(parts, a.exists(ctx, c, k.kind, client.ObjectKey{Namespace: name.Namespace, Name: name.Name}, k.flag))
		}
	}
	gateway := o.fromService != "" && parseName(namespace, o.fromService) == catalog.Name{Namespace: found.Namespace, Name: names.IngressGateway}
	if gateway && o.ingressBackend != "" {
		return errors.New("--ingress-backend cannot be combined with the ingress gateway of the mesh: TrafficTargets allow its requests, as those of other clients of the mesh")
	}
	if gateway || o.ingressBackend != "" {
		loaded, err := load.FromCluster(ctx, c, found.Name, found.Namespace)
		if err != nil {
			return err
		}
		if gateway {
			parts = append(parts, connectivity.VerifyIngressGateway(loaded.Catalog.View(), serviceOf(inside, o.toService))...)
		} else {
			parts = append(parts, verifyPolicy(loaded, o, namespace, inside)...)
		}
	}
	return a.printCheck(connectivity.Group("Verify if the ingress can access the mesh", parts...), form)
}

// serviceOf parses the name of a Service; empty for none.
func serviceOf(namespace, text string) catalog.Name {
	if text == "" {
		return catalog.Name{}
	}
	return parseName(namespace, text)
}

// verifyPolicy verifies the IngressBackend of the options.
func verifyPolicy(loaded *load.Loaded, o ingressOptions, namespace, inside string) []connectivity.Check {
	i := connectivity.Ingress{Policy: parseName(inside, o.ingressBackend), Port: o.port, Protocol: o.protocol}
	if o.fromService != "" {
		i.Gateway = parseName(namespace, o.fromService)
	}
	i.Service = serviceOf(inside, o.toService)
	policy, _ := loaded.Entries[catalog.Ref{Kind: catalog.KindIngressBackend, Name: i.Policy}].(*catalog.IngressBackend)
	return connectivity.VerifyIngress(loaded.Catalog.View(), policy, i)
}

// exists checks that an object exists.
func (a *app) exists(ctx context.Context, c client.Client, kind schema.GroupVersionKind, key client.ObjectKey, flag string) connectivity.Check {
	check := connectivity.Check{Context: fmt.Sprintf("%s %q exists", kind.Kind, key), Status: connectivity.Success}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	err := c.Get(ctx, key, object)
	switch {
	case err == nil:
	case kube.IsUndefined(err):
		check.Status, check.Reason = connectivity.Failure, fmt.Sprintf("the cluster has no CRD for kind %s", kind.Kind)
	case client.IgnoreNotFound(err) == nil:
		check.Status, check.Reason, check.Suggestion = connectivity.Failure, "not found", "create it, or check --"+flag
	default:
		check.Status, check.Reason = connectivity.Unknown, a.kube.Sentence(err).Error()
	}
	return check
}
