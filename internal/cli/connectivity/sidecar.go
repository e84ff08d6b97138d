package connectivity

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
)

// Sidecar is the configuration of an Envoy.
type Sidecar struct {
	// active contains the names of active resources by type.
	active map[part]map[string]bool
	// rejected maps rejected resources to Envoy's error messages.
	rejected map[string]string
	certs    []certificate
}

// part is a resource type.
type part string

const (
	listeners part = "listener"
	chains    part = "filter chain"
	clusters  part = "cluster"
	routes    part = "route configuration"
)

// certificate is a workload certificate of the sidecar.
type certificate struct {
	names []string
	ends  time.Time
}

// named is an object with a name.
type named struct {
	Name string `json:"name"`
}

// errorState is Envoy's error for a rejected resource version.
type errorState struct {
	Details string `json:"details"`
}

// section is one section of Envoy's config_dump. Fields that do not apply to its type are empty.
type section struct {
	StaticListeners []struct {
		Listener listener `json:"listener"`
	} `json:"static_listeners"`
	DynamicListeners []struct {
		named
		Active struct {
			Listener listener `json:"listener"`
		} `json:"active_state"`
		Error *errorState `json:"error_state"`
	} `json:"dynamic_listeners"`
	StaticClusters  []clusterEntry `json:"static_clusters"`
	DynamicClusters []clusterEntry `json:"dynamic_active_clusters"`
	DynamicRoutes   []struct {
		RouteConfig named       `json:"route_config"`
		Error       *errorState `json:"error_state"`
	} `json:"dynamic_route_configs"`
}

type listener struct {
	named
	Chains  []named `json:"filter_chains"`
	Default named   `json:"default_filter_chain"`
}

type clusterEntry struct {
	Cluster named       `json:"cluster"`
	Error   *errorState `json:"error_state"`
}

// ParseSidecar parses the responses of Envoy's admin interface to config_dump and certs.
func ParseSidecar(configDump, certs []byte) (*Sidecar, error) {
	var dump struct {
		Configs []section `json:"configs"`
	}
	if err := json.Unmarshal(configDump, &dump); err != nil {
		return nil, fmt.Errorf("parse config_dump: %w", err)
	}
	s := &Sidecar{active: map[part]map[string]bool{}, rejected: map[string]string{}}
	for _, one := range dump.Configs {
		s.addSection(one)
	}
	return s, s.parseCerts(certs)
}

func (s *Sidecar) addSection(one section) {
	for _, l := range one.StaticListeners {
		s.addListener(l.Listener)
	}
	for _, l := range one.DynamicListeners {
		s.addListener(l.Active.Listener)
		s.addError(l.Name, l.Error)
	}
	for _, c := range slices.Concat(one.StaticClusters, one.DynamicClusters) {
		s.add(clusters, c.Cluster.Name)
		s.addError(c.Cluster.Name, c.Error)
	}
	for _, r := range one.DynamicRoutes {
		s.add(routes, r.RouteConfig.Name)
		s.addError(r.RouteConfig.Name, r.Error)
	}
}

func (s *Sidecar) addListener(l listener) {
	s.add(listeners, l.Name)
	s.add(chains, l.Default.Name)
	for _, chain := range l.Chains {
		s.add(chains, chain.Name)
	}
}

func (s *Sidecar) add(p part, name string) {
	if name == "" {
		return
	}
	if s.active[p] == nil {
		s.active[p] = map[string]bool{}
	}
	s.active[p][name] = true
}

func (s *Sidecar) addError(name string, e *errorState) {
	if e != nil {
		s.rejected[name] = e.Details
	}
}

func (s *Sidecar) parseCerts(text []byte) error {
	var answer struct {
		Certificates []struct {
			Chain []struct {
				Names []struct {
					URI string `json:"uri"`
					DNS string `json:"dns"`
				} `json:"subject_alt_names"`
				Ends time.Time `json:"expiration_time"`
			} `json:"cert_chain"`
		} `json:"certificates"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("parse certs: %w", err)
	}
	for _, pair := range answer.Certificates {
		for _, one := range pair.Chain {
			c := certificate{ends: one.Ends}
			for _, name := range one.Names {
				c.names = append(c.names, name.URI+name.DNS)
			}
			s.certs = append(s.certs, c)
		}
	}
	return nil
}

// verifyCertificate verifies that the sidecar has a valid certificate for a name.
func (s *Sidecar) verifyCertificate(name string, now time.Time) diagnosis.Finding {
	context := "The sidecar has a valid certificate for " + name
	ended := ""
	var others []string
	for _, c := range s.certs {
		switch {
		case !slices.Contains(c.names, name):
			others = append(others, c.names...)
		case c.ends.After(now):
			return success(context, "until "+c.ends.Format(time.RFC3339))
		default:
			ended = c.ends.Format(time.RFC3339)
		}
	}
	if ended != "" {
		return failure(context, "the certificate expired at "+ended, "check the control plane with `osm check`")
	}
	if len(others) > 0 {
		return failure(context, "it only has certificates for other names: "+strings.Join(others, ", "), "restart the pod")
	}
	return failure(context, "it has no certificate", "check the control plane with `osm check`")
}
