package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/connectivity"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// connectivityOptions are the flags of the verify connectivity command.
type connectivityOptions struct {
	mesh           string
	fromPod, toPod string
	toService      string
	protocol       string
	port           uint16
	host           string
	// protocolGiven is true if the protocol is not the default.
	protocolGiven bool
}

func (a *app) connectivityCommand() *cobra.Command {
	var o connectivityOptions
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "connectivity --from-pod POD",
		Short: "Verify that a pod can connect to another pod or an external host",
		Long: `Verify step by step whether a pod can connect to another pod of the mesh, or to a host outside the mesh. The steps check that both
sidecars are connected and have valid certificates, and that policies allow the connection. They also check that each sidecar has
all its listeners, filter chains, clusters and route configurations. For a host outside the mesh, the policies are
Egresses; without --app-protocol, any protocol that they allow is enough. The result of a step is Success, Failure or Unknown,
with a suggestion. "osm explain" evaluates only the policies, for a single request.

Specify pods and Services as NAMESPACE/NAME; the default namespace is the one of -n. The exit code is 1 unless all steps
succeed.`,
		Example: `  osm verify connectivity --from-pod bookbuyer/bookbuyer-5c797ff5f4-tck47 --to-pod bookstore/bookstore-v1-8659bfb57-66zx9 --to-service bookstore
  osm verify connectivity --from-pod bookbuyer/bookbuyer-5c797ff5f4-tck47 --to-ext-host example.org --to-ext-port 443`,
	}
	cmd.RunE = a.run(func(ctx context.Context, _ []string) error {
		o.protocolGiven = cmd.Flags().Changed("app-protocol")
		return a.connectivity(ctx, o, &form)
	})
	f := cmd.Flags()
	a.addMeshAndOutput(cmd, &o.mesh, &form)
	f.StringVar(&o.fromPod, "from-pod", "", "source pod")
	f.StringVar(&o.toPod, "to-pod", "", "destination pod")
	f.StringVar(&o.toService, "to-service", "", "Service of the destination pod (default: any Service that selects the pod); the default namespace is the pod's")
	f.StringVar(&o.protocol, "app-protocol", "http", "application protocol: http, https, tcp, tcp-server-first or grpc")
	f.Uint16Var(&o.port, "to-ext-port", 0, "destination port outside the mesh")
	f.StringVar(&o.host, "to-ext-host", "", "destination host outside the mesh (default: any)")
	for _, flag := range []string{"from-pod", "to-pod"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, a.completeMeshedPods)
	}
	return cmd
}

func (a *app) connectivity(ctx context.Context, o connectivityOptions, form *output.Flag) error {
	if err := o.check(); err != nil {
		return err
	}
	c, found, err := a.open(ctx, o.mesh)
	if err != nil {
		return err
	}
	m, err := a.verifier(ctx, c, found)
	if err != nil {
		return err
	}
	namespace, err := a.kube.Namespace()
	if err != nil {
		return err
	}
	from, err := podIn(m.Catalog, namespace, o.fromPod)
	if err != nil {
		return err
	}
	var result diagnosis.Finding
	if o.toPod != "" {
		to, err := podIn(m.Catalog, namespace, o.toPod)
		if err != nil {
			return err
		}
		q := connectivity.Question{From: from, To: to, Protocol: protocols[o.protocol]}
		if o.toService != "" {
			q.Service = parseName(to.Namespace, o.toService)
		}
		result = m.Verify(ctx, q)
	} else {
		traffic, err := trafficSettings(ctx, c, found)
		if err != nil {
			return err
		}
		result = m.VerifyOutside(ctx, connectivity.Outside{
			From: from, Host: o.host, Port: o.port, Protocols: o.outsideProtocols(),
			ExcludedPorts: traffic.OutboundPortExclusionList, ExcludedRanges: traffic.OutboundIPRangeExclusionList,
		})
	}
	return a.printSteps(result, form)
}

// protocols maps application protocols to the protocol of the sidecar. Encrypted protocols are TCP.
var protocols = map[string]inventory.Protocol{
	"http": inventory.ProtocolHTTP, "grpc": inventory.ProtocolGRPC, "https": inventory.ProtocolTCP, "tcp": inventory.ProtocolTCP,
	"tcp-server-first": inventory.ProtocolTCPServerFirst,
}

// outsideProtocols returns the protocols that the application may use with a host outside the mesh: any, unless --app-protocol is set.
func (o connectivityOptions) outsideProtocols() []inventory.Protocol {
	switch {
	case !o.protocolGiven:
		return []inventory.Protocol{catalog.ProtocolHTTPS, inventory.ProtocolHTTP, inventory.ProtocolTCP}
	case o.protocol == "https":
		return []inventory.Protocol{catalog.ProtocolHTTPS}
	case o.protocol == "http", o.protocol == "grpc":
		return []inventory.Protocol{inventory.ProtocolHTTP}
	}
	return []inventory.Protocol{inventory.ProtocolTCP}
}

// check validates the combination of flags.
func (o connectivityOptions) check() error {
	_, known := protocols[o.protocol]
	switch {
	case o.fromPod == "":
		return errors.New("--from-pod is required: specify the source pod as NAMESPACE/NAME")
	case o.toPod == "" && o.toService != "":
		return errors.New("--to-pod is required with --to-service: specify a pod of the Service as NAMESPACE/NAME")
	case o.toPod == "" && o.port == 0:
		return errors.New("no destination: specify a pod with --to-pod, or a port outside the mesh with --to-ext-port")
	case o.toPod != "" && (o.port != 0 || o.host != ""):
		return errors.New("--to-pod cannot be combined with --to-ext-port and --to-ext-host")
	case !known:
		return fmt.Errorf("unsupported --app-protocol %s: must be http, https, tcp, tcp-server-first or grpc", o.protocol)
	}
	return nil
}

// printSteps prints the steps of a verification. It returns an error unless all succeed.
func (a *app) printSteps(result diagnosis.Finding, form *output.Flag) error {
	err := form.Print(a.Out, output.Result{Data: result, Names: nameOf(result), Text: result.PrintSteps})
	return exitIf(result.Severity != diagnosis.OK, exitFailed, err)
}

// nameOf returns the names in the output of a diagnosis.
func nameOf(result diagnosis.Finding) []string {
	return []string{"check/" + strings.ToLower(string(result.Severity))}
}

// verifier returns the mesh with functions that read its pods and sidecars. Each sidecar is read once.
func (a *app) verifier(ctx context.Context, c client.Client, found mesh) (connectivity.Mesh, error) {
	m, err := a.fromCluster(ctx, c, found)
	if err != nil {
		return connectivity.Mesh{}, err
	}
	type answer struct {
		sidecar *connectivity.Sidecar
		err     error
	}
	asked := map[entity.Name]answer{}
	return connectivity.Mesh{
		Mesh: m, TrustDomain: a.trustDomain(ctx, c, found), Now: a.now(),
		Pod: func(ctx context.Context, name entity.Name) (*corev1.Pod, error) {
			pod := &corev1.Pod{}
			return pod, a.kube.Sentence(c.Get(ctx, client.ObjectKey{Namespace: name.Namespace, Name: name.Name}, pod))
		},
		Connected: a.connectedTo(ctx, c, found),
		Sidecar: func(ctx context.Context, name entity.Name) (*connectivity.Sidecar, error) {
			if _, known := asked[name]; !known {
				sidecar, err := a.readSidecar(ctx, name)
				asked[name] = answer{sidecar, err}
			}
			return asked[name].sidecar, asked[name].err
		},
	}, nil
}

// readSidecar reads the configuration of a pod's Envoy.
func (a *app) readSidecar(ctx context.Context, name entity.Name) (*connectivity.Sidecar, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	a.progress().report("reading the configuration of the sidecar of pod %s", name)
	address, err := a.kube.Forward(ctx, name.Namespace, name.Name, 0, names.AdminPort)
	if err != nil {
		return nil, err
	}
	dump, err := readAdmin(ctx, address, "config_dump")
	if err != nil {
		return nil, fmt.Errorf("read the configuration of the sidecar of pod %s: %w", name, err)
	}
	certs, err := readAdmin(ctx, address, "certs")
	if err != nil {
		return nil, fmt.Errorf("read the certificates of the sidecar of pod %s: %w", name, err)
	}
	return connectivity.ParseSidecar(dump, certs)
}

// connectedTo returns a function that looks up a sidecar in the reports of the control plane replicas. The reports are read once.
func (a *app) connectedTo(ctx context.Context, c client.Client, found mesh) func(context.Context, entity.Name) (bool, string, error) {
	complete := false
	sidecars := sync.OnceValues(func() (all []connected, err error) {
		all, complete, err = a.sidecars(ctx, c, found, "")
		return all, err
	})
	return func(_ context.Context, name entity.Name) (bool, string, error) {
		all, err := sidecars()
		if err != nil {
			return false, "", err
		}
		for _, p := range all {
			if p.Namespace == name.Namespace && p.Pod == name.Name && p.State != stateUnknown {
				return p.State == stateUpToDate, strings.TrimRight("it is "+p.State+": "+p.Text, ": "), nil
			}
		}
		if !complete {
			return false, "", errors.New("not all control plane replicas respond")
		}
		return false, "it is not connected to any control plane replica", nil
	}
}
