package denials

import (
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Report returns the denial as the report API has it.
func (d Denial) Report() report.Denial {
	document := report.Denial{
		Address: d.Latest.String(), Side: report.AtClient, Reason: d.Reason,
		Count: d.Count, AtLeast: d.AtLeast, Rate: d.Rate, Since: d.Since.UTC(), Last: d.Last.UTC(),
	}
	if d.Client != (identity.ServiceAccount{}) {
		document.Client = d.Client.String()
	}
	if d.Workload != (inventory.Workload{}) {
		document.ClientWorkload = strings.ToLower(d.Workload.Kind) + "/" + d.Workload.Name
	}
	if d.Service != (entity.Name{}) {
		document.Service = d.Service.String()
	}
	switch {
	case d.AtServer():
		document.Side, document.Server = report.AtServer, d.Server.String()
		if d.Others {
			document.Client = report.OtherClients
		}
	case d.Others:
		document.Address = report.OtherAddresses
	}
	return document
}
