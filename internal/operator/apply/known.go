package apply

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// knownObjects holds, for each owner, the objects that the current and the previous reconciliation applied. An object of the previous one that
// does not exist was deleted by somebody else: the operator deletes only what it no longer applies.
type knownObjects struct {
	mu                sync.Mutex
	current, previous map[types.UID]map[string]bool
}

func newKnownObjects() *knownObjects {
	return &knownObjects{current: map[types.UID]map[string]bool{}, previous: map[types.UID]map[string]bool{}}
}

// begin starts a reconciliation of an owner.
func (k *knownObjects) begin(owner types.UID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.current[owner]) > 0 {
		k.previous[owner] = k.current[owner]
		delete(k.current, owner)
	}
}

// record remembers an applied object.
func (k *knownObjects) record(owner types.UID, object string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current[owner] == nil {
		k.current[owner] = map[string]bool{}
	}
	k.current[owner][object] = true
}

// existed reports whether the previous reconciliation applied an object.
func (k *knownObjects) existed(owner types.UID, object string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.previous[owner][object]
}
