package page

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Reader reads the state of a mesh. All functions except Prometheus are required.
type Reader struct {
	Client client.Client
	Now    func() time.Time
	// Mesh returns the summary of the mesh without its conditions and settings.
	Mesh func(context.Context) (Mesh, error)
	// Settings returns the settings of the mesh that Mesh returned last.
	Settings func(context.Context) (Settings, error)
	// Sidecars returns all sidecars, with a problem for each replica that does not respond.
	Sidecars func(context.Context) ([]Sidecar, []string, error)
	// Loads and Changes return the reports of the replicas that respond. complete is false if a sidecar has not reported yet.
	Loads   func(context.Context) (loads []report.Load, complete bool, err error)
	Changes func(context.Context) ([]report.Changes, error)
	// Denials returns the denials of the replicas that respond. It is nil, without an error, if no replica reports them.
	Denials func(context.Context) ([]report.Denial, error)
	// Logs opens access logs, and Samples samples them.
	Logs    Logs
	Samples *Sampler
	// Prometheus returns the server of the mesh and whether there is one.
	Prometheus func(context.Context) (prometheus.Target, bool)
	// Metrics queries the server.
	Metrics *prometheus.Client
	// Disconnect closes connections to the replicas and the server after one of them failed. The next read opens new ones.
	Disconnect func()
}

// Read returns the state. Whatever cannot be read is a problem of the state; only a mesh that cannot be read is an error.
func (r Reader) Read(ctx context.Context) (*State, error) {
	mesh, err := r.Mesh(ctx)
	if err != nil {
		return nil, err
	}
	s := &State{Mesh: mesh, At: r.Now(), Problems: []string{}, Sources: []string{}, Sidecars: []Sidecar{}, Certificates: []Certificate{}, Changes: []Change{}}
	s.Mesh.Conditions = []Condition{}
	if settings, err := r.Settings(ctx); err != nil {
		s.problem("The MeshConfig cannot be read: %v", err)
	} else {
		s.Mesh.Settings = &settings
	}
	r.addSidecars(ctx, s)
	backing := r.addTraffic(ctx, s)
	if changes, err := r.Changes(ctx); err != nil {
		s.problem("The latest changes cannot be read: %v", err)
	} else {
		s.Changes = changesOf(changes)
	}
	live := &v1alpha1.Mesh{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: mesh.Name}, live); err != nil {
		s.problem("The Mesh cannot be read: %v", err)
	} else {
		s.describe(live)
	}
	list, objects, problems := policies(ctx, r.Client, mesh.Name, mesh.Members)
	s.Policies = list
	s.Problems = append(s.Problems, problems...)
	s.addRates(objects, backing)
	if server, known := r.Prometheus(ctx); known {
		if err := s.addMetrics(ctx, r.Metrics, server, objects, backing); err != nil {
			s.problem("Prometheus cannot be queried: %v", err)
			r.Disconnect()
		}
	}
	return s, nil
}

func (s *State) problem(format string, args ...any) {
	s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
}

func (r Reader) addSidecars(ctx context.Context, s *State) {
	sidecars, problems, err := r.Sidecars(ctx)
	if err != nil {
		s.problem("The sidecars cannot be read: %v", err)
	}
	s.Problems = append(s.Problems, problems...)
	s.Sidecars = append(s.Sidecars, sidecars...)
}

// addTraffic builds the graph. Without permission to read endpoints, Services are not connected with the workloads behind them.
func (r Reader) addTraffic(ctx context.Context, s *State) Backing {
	s.Sources = append(s.Sources, "Rates of the last minute from load reports, latencies of requests in access logs.")
	loads, complete, err := r.Loads(ctx)
	if err != nil {
		s.problem("The load reports cannot be read: %v", err)
	} else if seconds := averagedOver(loads); seconds > 0 {
		s.Sources = append(s.Sources, fmt.Sprintf("At first, rates are averages of up to %s: those of the present follow in 5 seconds.", duration.HumanDuration(time.Duration(seconds)*time.Second)))
	} else if !complete {
		s.Sources = append(s.Sources, "Some sidecars have not reported yet: the first report of a new one takes some seconds.")
	}
	backing, err := r.backing(ctx, s.Mesh.Members, s.Sidecars)
	if err != nil {
		s.problem("The endpoints of Services cannot be read: %v", err)
	}
	denials, err := r.Denials(ctx)
	if err != nil {
		s.problem("The denials cannot be read: %v", err)
	} else if denials != nil {
		s.Denials = sortDenials(denials, s.At)
	}
	s.Nodes, s.Edges = Graph(Traffic{Loads: loads, Denials: denials, Backing: backing, Sidecars: s.Sidecars, Idle: s.Mesh.Settings.restrict(), At: s.At})
	sample, err := r.Samples.latencies(ctx, s.Edges, s.Sidecars, s.Mesh.Settings.logged())
	s.addSample(sample)
	s.Latencies = s.Mesh.Settings.latenciesNote(sample)
	if err != nil {
		s.Sources = append(s.Sources, fmt.Sprintf("Some latencies are unknown: %v.", err))
	}
	return backing
}

// averagedOver returns the longest period of an average in seconds; 0 if all loads are those of the last minute.
func averagedOver(loads []report.Load) float64 {
	longest := 0.0
	for _, load := range loads {
		if load.Average {
			longest = max(longest, load.Seconds)
		}
	}
	return longest
}

// backing finds the accounts behind Services by the pods in their EndpointSlices.
func (r Reader) backing(ctx context.Context, members []string, sidecars []Sidecar) (Backing, error) {
	accounts := accountsOf(sidecars)
	found := Backing{}
	for _, member := range members {
		var endpointSlices discoveryv1.EndpointSliceList
		if err := r.Client.List(ctx, &endpointSlices, client.InNamespace(member)); err != nil {
			return found, err
		}
		for _, slice := range endpointSlices.Items {
			service := member + "/" + slice.Labels[discoveryv1.LabelServiceName]
			for _, endpoint := range slice.Endpoints {
				account := accounts[podOf(endpoint.TargetRef)]
				if account != "" && !slices.Contains(found[service], account) {
					found[service] = append(found[service], account)
				}
			}
		}
	}
	return found, nil
}

func podOf(target *corev1.ObjectReference) string {
	if target == nil || target.Kind != "Pod" {
		return ""
	}
	return target.Namespace + "/" + target.Name
}
