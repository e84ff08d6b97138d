// Package status writes the status of Meshes for several controllers.
//
// In flows the desired status of a controller; out flows one server-side apply of the part that it owns, or nothing when that part
// has not changed. Each part of the status has one Owner, with a field manager of its own.
package status
