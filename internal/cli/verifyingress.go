package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/connectivity"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
)

// ingressOptions are the flags of verify ingress.
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
		Long: `Verifies what there is of the way from an ingress into the mesh: the Service of the ingress, the pod and the Service that it leads
to, and the IngressBackend that lets it in. This version of the mesh does not act on IngressBackends, so sidecars let in nobody from
outside the mesh, and the answer is never Success. Names are written NAMESPACE/NAME; one without a namespace is in that of -n.`,
		Example: `  osm verify ingress --from-service ingress/gateway --to-pod shop/web-0 --to-service web --ingress-backend web --to-port 8080`,
		Args:    exactly(0, ""),
		RunE:    a.run(func(ctx context.Context, _ []string) error { return a.verifyIngress(ctx, o, &form) }),
	}
	f := cmd.Flags()
	a.addMeshName(cmd, &o.mesh, "")
	f.StringVar(&o.fromService, "from-service", "", "Service of the ingress")
	f.StringVar(&o.toPod, "to-pod", "", "pod that is connected to")
	f.StringVar(&o.toService, "to-service", "", "Service by which it is called; without a namespace, in that of the pod")
	f.StringVar(&o.ingressBackend, "ingress-backend", "", "IngressBackend that lets the ingress in; without a namespace, in that of the pod")
	f.Uint16Var(&o.port, "to-port", 0, "port of the pod")
	f.StringVar(&o.protocol, "app-protocol", "http", "protocol of the application: http or https")
	form.AddTo(f)
	return cmd
}

// ingressBackendKind is the kind by which OSM lets an ingress in.
var ingressBackendKind = schema.GroupVersionKind{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: "IngressBackend"}

func (a *app) verifyIngress(ctx context.Context, o ingressOptions, form *output.Flag) error {
	c, _, err := a.open(ctx, o.mesh, form)
	if err != nil {
		return err
	}
	namespace, err := a.kube.Namespace()
	if err != nil {
		return err
	}
	inside := nameIn(namespace, o.toPod).Namespace
	kinds := []struct {
		flag, text, namespace string
		kind                  schema.GroupVersionKind
	}{
		{"from-service", o.fromService, namespace, schema.GroupVersionKind{Version: "v1", Kind: "Service"}},
		{"to-pod", o.toPod, namespace, schema.GroupVersionKind{Version: "v1", Kind: "Pod"}},
		{"to-service", o.toService, inside, schema.GroupVersionKind{Version: "v1", Kind: "Service"}},
		{"ingress-backend", o.ingressBackend, inside, ingressBackendKind},
	}
	result := connectivity.Check{
		Context: "Verify if the ingress can access the mesh", Status: connectivity.Failure,
		Reason:     "this version of the mesh does not act on IngressBackends: sidecars close connections from outside the mesh",
		Suggestion: "put the ingress into the mesh, and let it in by a TrafficTarget; or exclude the port from the sidecar by the pod's annotation openservicemesh.io/inbound-port-exclusion-list, which gives up its protection",
	}
	for _, k := range kinds {
		if k.text != "" {
			name := nameIn(k.namespace, k.text)
			result.Parts = append(result.Parts, a.exists(ctx, c, k.kind, client.ObjectKey{Namespace: name.Namespace, Name: name.Name}, k.flag))
		}
	}
	return a.printCheck(result, form)
}

// exists verifies that an object is there.
func (a *app) exists(ctx context.Context, c client.Client, kind schema.GroupVersionKind, key client.ObjectKey, flag string) connectivity.Check {
	check := connectivity.Check{Context: fmt.Sprintf("%s %q exists", kind.Kind, key), Status: connectivity.Success}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	err := c.Get(ctx, key, object)
	switch {
	case err == nil:
	case kube.IsUndefined(err):
		check.Status, check.Reason = connectivity.Failure, fmt.Sprintf("this cluster does not define the kind %s", kind.Kind)
	case client.IgnoreNotFound(err) == nil:
		check.Status, check.Reason, check.Suggestion = connectivity.Failure, "there is none", "create it, or correct --"+flag
	default:
		check.Status, check.Reason = connectivity.Unknown, a.kube.Sentence(err).Error()
	}
	return check
}
