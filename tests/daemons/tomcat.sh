#!/bin/bash
# Tomcat 9 with OpenSSL through libtcnative: each connection has a pair of BIOs, and a pool of threads reads the sockets and shakes hands. nio2: what
# one thread has read another works on.
. tests/lib/daemon.sh
packages="libtomcat9-java libtcnative-1 openjdk-17-jre-headless"
clients="curl"
program=java
variants="nio nio2"
protocol=http

configure() {
	local connector=Http11NioProtocol
	[ "$variant" = nio ] || connector=Http11Nio2Protocol
	mkdir -p "$tmp/base/conf" "$tmp/base/logs" "$tmp/base/temp" "$tmp/base/webapps/ROOT"
	echo hello >"$tmp/base/webapps/ROOT/hello.txt"
	cat >"$tmp/base/conf/web.xml" <<-XML
		<web-app xmlns="http://xmlns.jcp.org/xml/ns/javaee" version="4.0">
		<servlet><servlet-name>default</servlet-name><servlet-class>org.apache.catalina.servlets.DefaultServlet</servlet-class></servlet>
		<servlet-mapping><servlet-name>default</servlet-name><url-pattern>/</url-pattern></servlet-mapping>
		</web-app>
	XML
	cat >"$tmp/base/conf/server.xml" <<-XML
		<Server port="-1">
		<Listener className="org.apache.catalina.core.AprLifecycleListener" SSLEngine="on"/>
		<Service name="Catalina">
		<Connector address="127.0.0.1" port="$port" protocol="org.apache.coyote.http11.$connector" SSLEnabled="true" scheme="https" secure="true"
			sslImplementationName="org.apache.tomcat.util.net.openssl.OpenSSLImplementation">
		<SSLHostConfig protocols="TLSv1.2+TLSv1.3">
		<Certificate certificateFile="$tmp/cert.pem" certificateKeyFile="$tmp/key.pem"/>
		</SSLHostConfig>
		</Connector>
		<Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps"/></Engine>
		</Service>
		</Server>
	XML
}

# /usr/bin/java is a symbolic link, and the library path in it counts from where it really is.
launch() {
	local jars
	jars=$(find /usr/share/java -name 'tomcat9-*.jar' ! -name '*-9.*' -printf '%p:')
	daemon "$(readlink -f "$(command -v java)")" -Xmx128m -XX:+UseSerialGC -Djava.library.path=/usr/lib/x86_64-linux-gnu:/usr/lib/aarch64-linux-gnu \
		-Dcatalina.base="$tmp/base" -Dcatalina.home="$tmp/base" -Djava.io.tmpdir="$tmp/base/temp" -cp "$jars" org.apache.catalina.startup.Bootstrap start
}
exchange() { fetch /hello.txt /nothing | sed '/^<!doctype/d'; }
limitations() { cannot unfinished "not seen: Java frees what failed when it collects its garbage"; }
own_errors() { grep -E 'SEVERE|WARNING' "$tmp/tomcat.log"; }
trials
