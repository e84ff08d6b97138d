// Package pinned is what an injector was started to give new pods, whatever the MeshConfig has now. The operator writes it as a flag,
// and the injector reads it.
package pinned
