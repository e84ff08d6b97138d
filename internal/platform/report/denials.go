package report

import "time"

// Denials are the connections and requests that policies denied, as sidecars report them to a replica. Sidecars always report them; reading
// changes nothing.
type Denials struct {
	// Since is the time when the replica began to record.
	Since time.Time `json:"since"`
	// Denials are sorted by client, workload, Service, server, address, side and reason.
	Denials []Denial `json:"denials"`
	// Dropped counts the denials that were not recorded because of a limit.
	Dropped uint64 `json:"dropped,omitempty"`
}

// Sides of a denial.
const (
	// AtClient means that the sidecar of the client closed the connection, because no policy lets its workload call the address at all.
	AtClient = "client"
	// AtServer means that the sidecar of the server denied a connection or a request.
	AtServer = "server"
)

// Denial is what one client was denied at one destination for one reason.
type Denial struct {
	// Client is the identity, "<namespace>/<service account>" as in Load. It is empty if the client proved none to the server, as one
	// without a sidecar. It is OtherClients for clients beyond a limit, and for names that no service account has. In a denial at the server it is what the
	// server says: nothing proves it.
	Client string `json:"client,omitempty"`
	// ClientWorkload is the workload of the client's pod, "<kind>/<name>" in lower case such as "deployment/bookthief". Only its own sidecar
	// knows it, so it is empty in a denial at the server.
	ClientWorkload string `json:"clientWorkload,omitempty"`
	// Service is the destination, "<namespace>/<name>". It is empty if the address belongs to no Service of the mesh.
	Service string `json:"service,omitempty"`
	// Server is the identity of the server in a denial at the server, "<namespace>/<service account>".
	Server string `json:"server,omitempty"`
	// Address is the destination "<IP>:<port>" of the latest denial. It is OtherAddresses for destinations beyond a limit.
	Address string `json:"address"`
	// Side is AtClient or AtServer.
	Side string `json:"side"`
	// Reason is why, in words.
	Reason string `json:"reason"`
	// Count is the number of denials from Since to Last. AtLeast is true if more were denied than the sidecar could report.
	Count   uint64 `json:"count"`
	AtLeast bool   `json:"atLeast,omitempty"`
	// Rate is the number of denials per second in the last minute.
	Rate  float64   `json:"rate"`
	Since time.Time `json:"since"`
	Last  time.Time `json:"last"`
}

// OtherAddresses is the address of a Denial that counts all further destinations of a client, and OtherClients the client of one that counts all
// further clients of a server.
const (
	OtherAddresses = "other addresses"
	OtherClients   = "other clients"
)

// Destination returns the name of the destination for people: the Service, or else the identity of the server, or else the address.
func (d Denial) Destination() string {
	switch {
	case d.Service != "":
		return d.Service
	case d.Server != "":
		return d.Server
	}
	return d.Address
}
