package sidecartable

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/cli/output"
)

// Query is a table about a sidecar.
type Query struct {
	// Path is the path of Envoy's admin interface, with parameters.
	Path string
	// Table reads its answer.
	Table func(io.Reader) (output.Table, error)
}

// Queries returns the queries by name.
func Queries() map[string]Query {
	return map[string]Query{
		"routes":    {"config_dump?resource=dynamic_route_configs", routes},
		"endpoints": {"clusters?format=json", endpoints},
	}
}

// Names returns the names of the queries, sorted.
func Names() []string { return slices.Sorted(maps.Keys(Queries())) }

// routeDump is the part of a configuration dump that routes reads.
type routeDump struct {
	Configs []struct {
		RouteConfig struct {
			Name         string `json:"name"`
			VirtualHosts []struct {
				Name   string  `json:"name"`
				Routes []route `json:"routes"`
			} `json:"virtual_hosts"`
		} `json:"route_config"`
	} `json:"configs"`
}

type route struct {
	Match map[string]any `json:"match"`
	Route struct {
		Cluster  string `json:"cluster"`
		Weighted struct {
			Clusters []struct {
				Name   string `json:"name"`
				Weight int    `json:"weight"`
			} `json:"clusters"`
		} `json:"weighted_clusters"`
	} `json:"route"`
	Redirect       map[string]any `json:"redirect"`
	DirectResponse struct {
		Status int `json:"status"`
	} `json:"direct_response"`
}

func routes(answer io.Reader) (output.Table, error) {
	var dump routeDump
	if err := json.NewDecoder(answer).Decode(&dump); err != nil {
		return output.Table{}, fmt.Errorf("the routes of the sidecar cannot be read: %w", err)
	}
	table := output.Table{Columns: output.Columns("ROUTES OF", "VIRTUAL HOST", "MATCH", "TO")}
	for _, config := range dump.Configs {
		for _, host := range config.RouteConfig.VirtualHosts {
			for _, r := range host.Routes {
				table.Rows = append(table.Rows, []string{config.RouteConfig.Name, host.Name, r.match(), r.to()})
			}
		}
	}
	slices.SortStableFunc(table.Rows, func(x, y []string) int { return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1])) })
	return table, nil
}

// match describes which requests a route applies to.
func (r route) match() string {
	text := "any path"
	if expression, ok := r.Match["safe_regex"].(map[string]any); ok {
		text = fmt.Sprint("regex ", expression["regex"])
	}
	for _, kind := range []string{"path", "prefix", "path_separated_prefix"} {
		if value, ok := r.Match[kind].(string); ok && value != "" {
			text = kind + " " + value
		}
	}
	headers, _ := r.Match["headers"].([]any)
	for _, header := range headers {
		if fields, ok := header.(map[string]any); ok {
			text += fmt.Sprint(", header ", fields["name"])
		}
	}
	return text
}

// to describes what happens to requests.
func (r route) to() string {
	switch {
	case r.Route.Cluster != "":
		return r.Route.Cluster
	case len(r.Route.Weighted.Clusters) > 0:
		var all []string
		for _, c := range r.Route.Weighted.Clusters {
			all = append(all, fmt.Sprintf("%s (weight %d)", c.Name, c.Weight))
		}
		return strings.Join(all, ", ")
	case r.Redirect != nil:
		return "redirect"
	case r.DirectResponse.Status != 0:
		return "status " + strconv.Itoa(r.DirectResponse.Status)
	}
	return "-"
}

// clusters is the part of the list of clusters that endpoints reads.
type clusters struct {
	Statuses []struct {
		Name  string `json:"name"`
		Hosts []struct {
			Address struct {
				Socket struct {
					Address string `json:"address"`
					Port    int    `json:"port_value"`
				} `json:"socket_address"`
				Pipe struct {
					Path string `json:"path"`
				} `json:"pipe"`
			} `json:"address"`
			Health map[string]any `json:"health_status"`
		} `json:"host_statuses"`
	} `json:"cluster_statuses"`
}

func endpoints(answer io.Reader) (output.Table, error) {
	var all clusters
	if err := json.NewDecoder(answer).Decode(&all); err != nil {
		return output.Table{}, fmt.Errorf("the endpoints of the sidecar cannot be read: %w", err)
	}
	table := output.Table{Columns: output.Columns("CLUSTER", "ENDPOINT", "HEALTH")}
	for _, c := range all.Statuses {
		if len(c.Hosts) == 0 {
			table.Rows = append(table.Rows, []string{c.Name, "-", "no endpoint"})
		}
		for _, h := range c.Hosts {
			address := h.Address.Pipe.Path
			if h.Address.Socket.Address != "" {
				address = h.Address.Socket.Address + ":" + strconv.Itoa(h.Address.Socket.Port)
			}
			table.Rows = append(table.Rows, []string{c.Name, address, health(h.Health)})
		}
	}
	slices.SortStableFunc(table.Rows, func(x, y []string) int { return cmp.Compare(x[0], y[0]) })
	return table, nil
}

// health describes why Envoy sends no requests to an endpoint. Envoy lists only what is not as usual.
func health(status map[string]any) string {
	text := "healthy"
	if reported, ok := status["eds_health_status"].(string); ok && reported != "HEALTHY" && reported != "UNKNOWN" {
		text = strings.ToLower(reported)
	}
	for field, description := range map[string]string{
		"failed_outlier_check": "ejected after failures", "failed_active_health_check": "fails its health check",
	} {
		if failed, _ := status[field].(bool); failed {
			text = description
		}
	}
	return text
}
