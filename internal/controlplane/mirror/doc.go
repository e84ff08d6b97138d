// Package mirror keeps a second catalog of the mesh, beside the one that configures sidecars, for what people are told about policies.
//
// The changes that the Store gets flow in too. Views flow out, one at a time, and the names of the objects for which an earlier view would read something
// else now. Entries are shared with the Store, and only the indexes exist twice: nothing that people ask waits for the Store, and the Store waits for
// nothing here.
package mirror
