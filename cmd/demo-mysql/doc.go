// Command demo-mysql is the entrypoint of the demo's MySQL image. It initializes the database of MYSQL_DATABASE, MYSQL_USER
// and MYSQL_PASSWORD once, and runs the server on port 3306. Package mariadb describes the details.
package main
