package connectivity

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Sidecar is what an Envoy says about itself.
type Sidecar struct {
	// held are the names of what it uses, by type.
	held map[part]map[string]bool
	// refused are the words in which it refuses something, by the names.
	refused map[string]string
	certs   []certificate
}

// part is a type of what a sidecar holds, as people call it.
type part string

const (
	listeners part = "listener"
	chains    part = "filter chain"
	clusters  part = "cluster"
	routes    part = "route configuration"
	secrets   part = "secret"
)

// certificate is a certificate of the sidecar's own.
type certificate struct {
	names []string
	ends  time.Time
}

// named is anything with a name.
type named struct {
	Name string `json:"name"`
}

// errorState is how Envoy notes that it refused the newest version of something.
type errorState struct {
	Details string `json:"details"`
}

// section is one part of Envoy's config_dump: fields that a type does not have stay empty.
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
	DynamicSecrets []named `json:"dynamic_active_secrets"`
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

// ParseSidecar reads the answers of an Envoy's administration interface to config_dump and certs.
func ParseSidecar(configDump, certs []byte) (*Sidecar, error) {
	var dump struct {
		Configs []section `json:"configs"`
	}
	if err := json.Unmarshal(configDump, &dump); err != nil {
		return nil, fmt.Errorf("its config_dump cannot be read: %w", err)
	}
	s := &Sidecar{held: map[part]map[string]bool{}, refused: map[string]string{}}
	for _, one := range dump.Configs {
		s.take(one)
	}
	return s, s.parseCerts(certs)
}

func (s *Sidecar) take(one section) {
	for _, l := range one.StaticListeners {
		s.holdListener(l.Listener)
	}
	for _, l := range one.DynamicListeners {
		s.holdListener(l.Active.Listener)
		s.refuse(l.Name, l.Error)
	}
	for _, c := range slices.Concat(one.StaticClusters, one.DynamicClusters) {
		s.hold(clusters, c.Cluster.Name)
		s.refuse(c.Cluster.Name, c.Error)
	}
	for _, r := range one.DynamicRoutes {
		s.hold(routes, r.RouteConfig.Name)
		s.refuse(r.RouteConfig.Name, r.Error)
	}
	for _, secret := range one.DynamicSecrets {
		s.hold(secrets, secret.Name)
	}
}

func (s *Sidecar) holdListener(l listener) {
	s.hold(listeners, l.Name)
	s.hold(chains, l.Default.Name)
	for _, chain := range l.Chains {
		s.hold(chains, chain.Name)
	}
}

func (s *Sidecar) hold(p part, name string) {
	if name == "" {
		return
	}
	if s.held[p] == nil {
		s.held[p] = map[string]bool{}
	}
	s.held[p][name] = true
}

func (s *Sidecar) refuse(name string, e *errorState) {
	if e != nil {
		s.refused[name] = e.Details
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
		return fmt.Errorf("its certificates cannot be read: %w", err)
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

// proves says whether the sidecar has a certificate for a name that is still valid.
func (s *Sidecar) proves(name string, now time.Time) Check {
	context := "The sidecar has a valid certificate for " + name
	ended := ""
	var others []string
	for _, c := range s.certs {
		switch {
		case !slices.Contains(c.names, name):
			others = append(others, c.names...)
		case c.ends.After(now):
			return success("%s, until %s", context, c.ends.Format(time.RFC3339))
		default:
			ended = c.ends.Format(time.RFC3339)
		}
	}
	if ended != "" {
		return failure(context, "its certificate ended at "+ended, "see whether the control plane works, with `osm check`")
	}
	if len(others) > 0 {
		return failure(context, "it has certificates for other names only: "+strings.Join(others, ", "), "restart the pod")
	}
	return failure(context, "it has no certificate", "see whether the control plane works, with `osm check`")
}
