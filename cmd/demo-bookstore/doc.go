// Command demo-bookstore sells the demo's books. Package demo describes its environment variables and output.
package main
