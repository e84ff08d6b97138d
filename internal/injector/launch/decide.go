package launch

import "time"

// Role is what a slot does.
type Role int

const (
	// Idle runs no Envoy.
	Idle Role = iota
	// Serve runs an Envoy that opens its own sockets.
	Serve
	// Handover runs an Envoy that gets the sockets of the serving one once it has its configuration.
	Handover
	// Drain runs an Envoy whose sockets another one has. It ends with its last connection.
	Drain
)

func (r Role) String() string { return [...]string{"idle", "serve", "take over", "drain"}[r] }

// Image describes the Envoy of a slot.
type Image struct {
	// Build identifies the program and its release.
	Build string
	// HotRestart is the version of the protocol between two Envoys.
	HotRestart string
}

// view is what a launcher knows when it decides.
type view struct {
	// slot is its own slot; first is true for the one that the kubelet starts first.
	slot  string
	first bool
	image Image
	// changed is true if the slot had another image when it last served or equalled the serving one, or none.
	changed bool
	// failed is true for a while after an attempt to take over.
	failed bool
	// running is its current role.
	running Role
	// serving is the record of the serving slot. Its slot is empty before the first start.
	serving record
	// absent is for how long no launcher has run in the serving slot.
	absent time.Duration
	// grace is how long a serving slot may be absent, for example while the kubelet starts its container.
	grace time.Duration
}

// decide returns the role of a slot and the reason. Two slots that see the same record never both serve.
func decide(v view) (Role, string) {
	other := v.serving.image
	switch {
	case v.serving.slot == "" && v.first:
		return Serve, "the pod is new"
	case v.serving.slot == "":
		return Idle, "the first slot has not started yet"
	case v.serving.slot == v.slot:
		return Serve, "the slot served last"
	case v.running == Serve || v.running == Drain:
		return Drain, "the other slot serves"
	case v.absent > 0 && v.absent >= v.grace:
		return Serve, "the serving slot is absent"
	case v.absent > 0:
		return Idle, "the serving slot is starting"
	case !v.changed || v.image.Build == other.Build:
		return Idle, "the other slot serves"
	case v.image.HotRestart != other.HotRestart:
		return Idle, "the Envoys cannot pass sockets to each other: their hot restart versions are " + v.image.HotRestart + " and " + other.HotRestart
	case v.failed:
		return Idle, "its attempt to take over failed, another one follows"
	case !v.serving.ready:
		return Idle, "the serving Envoy has no configuration yet"
	}
	return Handover, "the slot has another image than the serving one"
}
