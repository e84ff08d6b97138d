package grafana

import (
	"sync"

	"github.com/openservicemesh/osm-operator/internal/operator/dashboards"
)

// Pages returns all dashboards with their JSON.
type Pages func() ([]Page, error)

// Page is a dashboard with its JSON.
type Page struct {
	dashboards.Dashboard
	JSON string
}

// NewPages returns Pages that render each dashboard once, at the first use: dashboards are constants of a version of the operator.
func NewPages(render func(dashboards.Dashboard) ([]byte, error)) Pages {
	return sync.OnceValues(func() ([]Page, error) {
		var pages []Page
		for _, d := range dashboards.All() {
			text, err := render(d)
			if err != nil {
				return nil, err
			}
			pages = append(pages, Page{Dashboard: d, JSON: string(text)})
		}
		return pages, nil
	})
}
