package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/cli/connectivity"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// connectivityOptions are the flags of verify connectivity.
type connectivityOptions struct {
	mesh           string
	fromPod, toPod string
	toService      string
	protocol       string
	port           uint16
	host           string
}

func (a *app) connectivityCommand() *cobra.Command {
	var o connectivityOptions
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "connectivity --from-pod POD",
		Short: "Verify that a pod reaches another one, or a host outside",
		Long: `Verifies step by step whether a pod reaches another pod of the mesh, or a host outside of it: that both have sidecars which are
connected and hold valid certificates, that policies allow it, and that each sidecar holds the listener, filter chain, route
configuration, clusters and secrets for it. Each step is Success, Failure or Unknown, with what to do. "osm explain" answers by the
policies alone, for single requests.

Pods and Services are written NAMESPACE/NAME; one without a namespace is in that of -n. The exit code is 1 unless all steps
succeed.`,
		Example: `  osm verify connectivity --from-pod bookbuyer/bookbuyer-5c797ff5f4-tck47 --to-pod bookstore/bookstore-v1-8659bfb57-66zx9 --to-service bookstore
  osm verify connectivity --from-pod bookbuyer/bookbuyer-5c797ff5f4-tck47 --to-ext-host example.org --to-ext-port 443`,
		Args: exactly(0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.connectivity(ctx, o, &form) }),
	}
	f := cmd.Flags()
	a.addMeshName(cmd, &o.mesh, "")
	f.StringVar(&o.fromPod, "from-pod", "", "pod that connects")
	f.StringVar(&o.toPod, "to-pod", "", "pod that is connected to")
	f.StringVar(&o.toService, "to-service", "", "Service by which it is called (default: any that leads to the pod); without a namespace, in that of the pod")
	f.StringVar(&o.protocol, "app-protocol", "http", "protocol of the application: http, https, tcp, tcp-server-first or grpc")
	f.Uint16Var(&o.port, "to-ext-port", 0, "port outside the mesh that is connected to")
	f.StringVar(&o.host, "to-ext-host", "", "host outside the mesh that is connected to (default: any)")
	form.AddTo(f)
	for _, flag := range []string{"from-pod", "to-pod"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, a.completeMeshedPods)
	}
	return cmd
}

func (a *app) connectivity(ctx context.Context, o connectivityOptions, form *output.Flag) error {
	if err := o.check(); err != nil {
		return err
	}
	c, found, err := a.open(ctx, o.mesh, form)
	if err != nil {
		return err
	}
	m, err := a.verifiable(ctx, c, found)
	if err != nil {
		return err
	}
	namespace, err := a.kube.Namespace()
	if err != nil {
		return err
	}
	from := nameIn(namespace, o.fromPod)
	var result connectivity.Check
	if o.toPod != "" {
		to := nameIn(namespace, o.toPod)
		q := connectivity.Question{From: from, To: to, Protocol: protocols[o.protocol]}
		if o.toService != "" {
			q.Service = nameIn(to.Namespace, o.toService)
		}
		result = m.Verify(ctx, q)
	} else {
		outside, err := outsideOf(ctx, c, found)
		if err != nil {
			return err
		}
		outside.From, outside.Host, outside.Port = from, o.host, o.port
		result = m.VerifyOutside(ctx, outside)
	}
	return a.printCheck(result, form)
}

// protocols are those of applications, and how sidecars treat them: what is encrypted is bytes to them.
var protocols = map[string]catalog.Protocol{
	"http": catalog.ProtocolHTTP, "grpc": catalog.ProtocolGRPC, "https": catalog.ProtocolTCP, "tcp": catalog.ProtocolTCP,
	"tcp-server-first": catalog.ProtocolTCPServerFirst,
}

// check finds contradictions among the flags.
func (o connectivityOptions) check() error {
	_, known := protocols[o.protocol]
	switch {
	case o.fromPod == "":
		return errors.New("--from-pod is missing: name the pod that connects, as NAMESPACE/NAME")
	case o.toPod == "" && o.toService != "":
		return errors.New("--to-pod is missing: name the pod behind the Service that is connected to, as NAMESPACE/NAME")
	case o.toPod == "" && o.port == 0:
		return errors.New("what is connected to is missing: name a pod with --to-pod, or a port outside the mesh with --to-ext-port")
	case o.toPod != "" && (o.port != 0 || o.host != ""):
		return errors.New("--to-pod and --to-ext-port exclude each other: ask one question at a time")
	case !known:
		return fmt.Errorf("--app-protocol %s is none that sidecars speak: use http, https, tcp, tcp-server-first or grpc", o.protocol)
	}
	return nil
}

// printCheck prints a tree of checks; unless all of it is Success, the command has failed.
func (a *app) printCheck(result connectivity.Check, form *output.Flag) error {
	if form.ForPeople() {
		result.Print(a.Out)
	} else if err := form.Print(a.Out, output.Result{Data: result, Names: []string{"check/" + strings.ToLower(string(result.Status))}}); err != nil {
		return err
	}
	if result.Status != connectivity.Success {
		return silent{exitFailed}
	}
	return nil
}

// nameIn reads "[NAMESPACE/]NAME".
func nameIn(namespace, text string) catalog.Name {
	if before, after, found := strings.Cut(text, "/"); found {
		return catalog.Name{Namespace: before, Name: after}
	}
	return catalog.Name{Namespace: namespace, Name: text}
}

// verifiable is the mesh with everybody who can be asked about it. Each sidecar is asked once.
func (a *app) verifiable(ctx context.Context, c client.Client, found mesh) (connectivity.Mesh, error) {
	m, err := a.fromCluster(ctx, c, found)
	if err != nil {
		return connectivity.Mesh{}, err
	}
	asked := map[catalog.Name]func() (*connectivity.Sidecar, error){}
	return connectivity.Mesh{
		Mesh: m, TrustDomain: a.trustDomain(ctx, c, found), Now: a.now(),
		Pod: func(ctx context.Context, name catalog.Name) (*corev1.Pod, error) {
			pod := &corev1.Pod{}
			return pod, a.kube.Sentence(c.Get(ctx, client.ObjectKey{Namespace: name.Namespace, Name: name.Name}, pod))
		},
		Connected: a.connectedTo(c, found),
		Sidecar: func(ctx context.Context, name catalog.Name) (*connectivity.Sidecar, error) {
			if asked[name] == nil {
				sidecar, err := a.askSidecar(ctx, name)
				asked[name] = func() (*connectivity.Sidecar, error) { return sidecar, err }
			}
			return asked[name]()
		},
	}, nil
}

// askSidecar asks the Envoy of a pod what it holds.
func (a *app) askSidecar(ctx context.Context, name catalog.Name) (*connectivity.Sidecar, error) {
	ctx, cancel := context.WithTimeout(ctx, adminPatience)
	defer cancel()
	a.progress().say("asking the sidecar of pod %s", name)
	address, err := a.kube.Forward(ctx, name.Namespace, name.Name, 0, names.AdminPort)
	if err != nil {
		return nil, err
	}
	dump, err := readAdmin(ctx, address, "config_dump")
	if err != nil {
		return nil, fmt.Errorf("the sidecar of pod %s does not say what it holds: %w", name, err)
	}
	certs, err := readAdmin(ctx, address, "certs")
	if err != nil {
		return nil, fmt.Errorf("the sidecar of pod %s does not say which certificates it holds: %w", name, err)
	}
	return connectivity.ParseSidecar(dump, certs)
}

// connectedTo looks for sidecars in what the replicas of the control plane know, which it asks once.
func (a *app) connectedTo(c client.Client, found mesh) func(context.Context, catalog.Name) (bool, string, error) {
	var all []connected
	var complete bool
	var failed error
	asked := false
	return func(ctx context.Context, name catalog.Name) (bool, string, error) {
		if !asked {
			all, complete, failed = a.sidecars(ctx, c, found, "")
			asked = true
		}
		if failed != nil {
			return false, "", failed
		}
		for _, p := range all {
			if p.Namespace == name.Namespace && p.Pod == name.Name && p.State != stateUnknown {
				return p.State == stateUpToDate, strings.TrimRight("it is "+p.State+": "+p.Text, ": "), nil
			}
		}
		if !complete {
			return false, "", errors.New("not all replicas of the control plane answer")
		}
		return false, "no replica of the control plane serves it", nil
	}
}

// outsideOf is what the MeshConfig lets past all sidecars.
func outsideOf(ctx context.Context, c client.Client, m mesh) (connectivity.Outside, error) {
	var o connectivity.Outside
	config := &configv1alpha2.MeshConfig{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: m.Namespace, Name: names.MeshConfig}, config); client.IgnoreNotFound(err) != nil {
		return o, err
	}
	o.ExcludedPorts, o.ExcludedRanges = config.Spec.Traffic.OutboundPortExclusionList, config.Spec.Traffic.OutboundIPRangeExclusionList
	return o, nil
}
