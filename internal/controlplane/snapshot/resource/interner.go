package resource

import (
	"runtime"
	"sync"
	"weak"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// Interner returns the same pointer for equal contents. It holds weak references: a content that is no longer used is collected.
// It is safe for concurrent use.
type Interner struct {
	mu       sync.Mutex
	contents map[internKey]weak.Pointer[Content]
}

type internKey struct {
	kind resourcetype.Type
	name string
	hash Version
}

// NewInterner returns an empty Interner.
func NewInterner() *Interner { return &Interner{contents: map[internKey]weak.Pointer[Content]{}} }

// Intern returns the content that equals c: an existing one if there is one, otherwise c.
func (i *Interner) Intern(c *Content) *Content {
	key := internKey{c.kind, c.name, c.hash}
	i.mu.Lock()
	defer i.mu.Unlock()
	if reference, ok := i.contents[key]; ok {
		if existing := reference.Value(); existing != nil {
			return existing
		}
	}
	i.contents[key] = weak.Make(c)
	runtime.AddCleanup(c, i.remove, key)
	return c
}

// Len returns the number of contents, including those that are collected but not cleaned up yet.
func (i *Interner) Len() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.contents)
}

// remove drops the key of a collected content, unless an equal content replaced it.
func (i *Interner) remove(key internKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if reference, ok := i.contents[key]; ok && reference.Value() == nil {
		delete(i.contents, key)
	}
}
