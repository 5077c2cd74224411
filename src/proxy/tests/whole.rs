//! Both files of one table, every line.
#![expect(clippy::too_many_lines, reason = "a test is as long as the file it shows")]

use super::{haproxy, nginx, rendered};

#[test]
fn the_nginx_file_as_a_whole() {
    insta::assert_snapshot!(rendered(&nginx()), @r#"
# gitdeploy 1: generation 7; written by gitdeploy, do not edit
# owner: acme/production
# sha256: a50b154551e1f39d4c715203ae4a2ffdf76e4ba4f90f7348f98fbef33780c822
# generation: 7
# table: {"generation":7,"activated_at":1700000000000,"backends":{"old.web.80":{"rules":[{"host":"old.example.com","path":"/v1/"}],"servers":{}},"shop.api.9000":{"rules":[{"host":"shop.example.com","path":"/api"}],"servers":{"shop-api-1-b2":{"address":"::1","port":20002}}},"shop.web.8080":{"rules":[{"host":"*.example.com","path":"/"},{"host":"shop.example.com","path":"/"}],"servers":{"shop-web-1-a1":{"address":"127.0.0.1","port":20000},"shop-web-2-a1":{"address":"127.0.0.1","port":20001}},"check":"/health"}},"retired":[{"address":"127.0.0.1","port":20009}]}
#
# A keep-alive connection to a replica carries no `Connection` header, a WebSocket `upgrade`.
map $http_upgrade $gitdeploy_connection {
    default upgrade;
    ''      '';
}
map $remote_addr $gitdeploy_may_ask {
    default 0;
    "127.0.0.1" 1;
}
map "$gitdeploy_may_ask:$http_x_gitdeploy_probe" $gitdeploy_server {
    default '';
    "1:7" $upstream_addr;
}

upstream shop.api.9000 {
    zone shop.api.9000 64k;
    server [::1]:20002 max_fails=0; # shop-api-1-b2
    keepalive 32;
    # Shorter than applications keep idle connections open themselves.
    keepalive_timeout 4s;
}

upstream shop.web.8080 {
    zone shop.web.8080 64k;
    server 127.0.0.1:20000 max_fails=0; # shop-web-1-a1
    server 127.0.0.1:20001 max_fails=0; # shop-web-2-a1
    keepalive 32;
    # Shorter than applications keep idle connections open themselves.
    keepalive_timeout 4s;
}

# First, so that a name nobody has is answered here and not by somebody's application.
server {
    listen 80;
    listen [::]:80;
    server_name gitdeploy.invalid;
    access_log off;
    location = /generation {
        default_type text/plain;
        if ($gitdeploy_may_ask = 0) { return 403; }
        return 200 "7\n";
    }
    location / {
        return 404;
    }
}

server {
    listen 80;
    listen [::]:80;
    server_name shop.example.com;
    # The application knows how much it takes.
    client_max_body_size 0;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $gitdeploy_connection;
    # Streams reach the client as they are written. Requests are still read whole first, so a slow
    # upload occupies no replica.
    proxy_buffering off;
    # A replica that is gone is noticed at once; one that answers may take its time, and a
    # WebSocket may be silent for as long.
    proxy_connect_timeout 2s;
    proxy_send_timeout 1h;
    proxy_read_timeout 1h;
    # Never a POST that was sent already.
    proxy_next_upstream error timeout;
    proxy_next_upstream_tries 3;
    proxy_next_upstream_timeout 5s;
    add_header X-Gitdeploy-Server $gitdeploy_server always;
    location "/api/" {
        error_page 418 = @close-shop.api.9000;
        if (-f /etc/nginx/conf.d/gitdeploy.conf.close) { return 418; }
        proxy_pass http://shop.api.9000;
    }
    location = "/api" {
        error_page 418 = @close-shop.api.9000;
        if (-f /etc/nginx/conf.d/gitdeploy.conf.close) { return 418; }
        proxy_pass http://shop.api.9000;
    }
    location "/" {
        error_page 418 = @close-shop.web.8080;
        if (-f /etc/nginx/conf.d/gitdeploy.conf.close) { return 418; }
        proxy_pass http://shop.web.8080;
    }
    location @close-shop.api.9000 {
        keepalive_timeout 0;
        proxy_pass http://shop.api.9000;
    }
    location @close-shop.web.8080 {
        keepalive_timeout 0;
        proxy_pass http://shop.web.8080;
    }
}

server {
    listen 80;
    listen [::]:80;
    server_name old.example.com;
    # The application knows how much it takes.
    client_max_body_size 0;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $gitdeploy_connection;
    # Streams reach the client as they are written. Requests are still read whole first, so a slow
    # upload occupies no replica.
    proxy_buffering off;
    # A replica that is gone is noticed at once; one that answers may take its time, and a
    # WebSocket may be silent for as long.
    proxy_connect_timeout 2s;
    proxy_send_timeout 1h;
    proxy_read_timeout 1h;
    # Never a POST that was sent already.
    proxy_next_upstream error timeout;
    proxy_next_upstream_tries 3;
    proxy_next_upstream_timeout 5s;
    add_header X-Gitdeploy-Server $gitdeploy_server always;
    location "/v1/" {
        return 503;
    }
    location = "/v1" {
        return 404;
    }
    location "/" {
        return 404;
    }
}

server {
    listen 80;
    listen [::]:80;
    server_name *.example.com;
    # The application knows how much it takes.
    client_max_body_size 0;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $gitdeploy_connection;
    # Streams reach the client as they are written. Requests are still read whole first, so a slow
    # upload occupies no replica.
    proxy_buffering off;
    # A replica that is gone is noticed at once; one that answers may take its time, and a
    # WebSocket may be silent for as long.
    proxy_connect_timeout 2s;
    proxy_send_timeout 1h;
    proxy_read_timeout 1h;
    # Never a POST that was sent already.
    proxy_next_upstream error timeout;
    proxy_next_upstream_tries 3;
    proxy_next_upstream_timeout 5s;
    add_header X-Gitdeploy-Server $gitdeploy_server always;
    location "/" {
        error_page 418 = @close-shop.web.8080;
        if (-f /etc/nginx/conf.d/gitdeploy.conf.close) { return 418; }
        proxy_pass http://shop.web.8080;
    }
    location @close-shop.web.8080 {
        keepalive_timeout 0;
        proxy_pass http://shop.web.8080;
    }
}
"#);
}

#[test]
fn the_haproxy_file_as_a_whole() {
    insta::assert_snapshot!(rendered(&haproxy()), @r#"
    # gitdeploy 1: generation 7; written by gitdeploy, do not edit
    # owner: acme/production
    # sha256: 1e56ee4289bf24c40c0bf1c789daaeb2a56ffef1686b19d6ed5fdea6ce6d000c
    # generation: 7
    # table: {"generation":7,"activated_at":1700000000000,"backends":{"old.web.80":{"rules":[{"host":"old.example.com","path":"/v1/"}],"servers":{}},"shop.api.9000":{"rules":[{"host":"shop.example.com","path":"/api"}],"servers":{"shop-api-1-b2":{"address":"::1","port":20002}}},"shop.web.8080":{"rules":[{"host":"*.example.com","path":"/"},{"host":"shop.example.com","path":"/"}],"servers":{"shop-web-1-a1":{"address":"127.0.0.1","port":20000},"shop-web-2-a1":{"address":"127.0.0.1","port":20001}},"check":"/health"}},"retired":[{"address":"127.0.0.1","port":20009}]}
    #

    global
        # The service's own account, as packages and the official image make it.
        user haproxy
        group haproxy
        stats socket "/run/haproxy/admin.sock" mode 600 level admin expose-fd listeners
        stats timeout 30s
        # Long enough for downloads and WebSockets that a reload left with the old process.
        hard-stop-after 1h

    defaults
        mode http
        timeout connect 2s
        timeout client 1h
        timeout server 1h

    # Variables, because a change of servers alone is made at run time and sets them there.
    global
        set-var proc.gitdeploy_generation str(7)
        set-var proc.gitdeploy_structure str(e0c687cceb0e950d)

    frontend gitdeploy-80
        bind *:80
        bind [::]:80 v6only
        mode http
        # Idle connections are closed with an answer, so that a reload cuts off no request.
        option idle-close-on-response
        option forwardfor
        timeout client 1h
        timeout http-request 30s
        timeout http-keep-alive 75s
        http-request set-var(txn.gitdeploy_host) req.hdr(host),field(1,:),rtrim(.),lower
        http-request set-var(txn.gitdeploy_path) path,url_dec
        acl gitdeploy_itself var(txn.gitdeploy_host) -m str "gitdeploy.invalid"
        acl gitdeploy_may_ask src 127.0.0.1
        http-request set-log-level silent if gitdeploy_itself
        http-request deny deny_status 403 if gitdeploy_itself !gitdeploy_may_ask
        http-request return status 200 content-type text/plain lf-string "%[var(proc.gitdeploy_generation)]\n" if gitdeploy_itself { path "/generation" }
        http-request set-var(txn.gitdeploy_probe) bool(true) if gitdeploy_may_ask { req.hdr(X-Gitdeploy-Probe),strcmp(proc.gitdeploy_generation) eq 0 }
        http-request set-header X-Real-IP %[src]
        http-request set-header X-Forwarded-Proto http
        use_backend shop.api.9000 if { var(txn.gitdeploy_host) -m str "shop.example.com" } { var(txn.gitdeploy_path) -m beg "/api/" }
        use_backend shop.api.9000 if { var(txn.gitdeploy_host) -m str "shop.example.com" } { var(txn.gitdeploy_path) -m str "/api" }
        use_backend shop.web.8080 if { var(txn.gitdeploy_host) -m str "shop.example.com" }
        use_backend old.web.80 if { var(txn.gitdeploy_host) -m str "old.example.com" } { var(txn.gitdeploy_path) -m beg "/v1/" }
        use_backend gitdeploy-nowhere if { var(txn.gitdeploy_host) -m str "old.example.com" }
        use_backend shop.web.8080 if { var(txn.gitdeploy_host) -m end ".example.com" }
        default_backend gitdeploy-nowhere

    backend gitdeploy-nowhere
        mode http
        http-request return status 404 content-type text/plain string "no route\n"

    backend old.web.80
        mode http
        balance roundrobin
        # Only what was never sent is sent again.
        option redispatch
        retries 3
        retry-on conn-failure
        timeout connect 2s
        timeout queue 30s
        timeout server 1h
        timeout tunnel 1h
        http-response set-header X-Gitdeploy-Server %si:%sp if { var(txn.gitdeploy_probe) -m bool }

    backend shop.api.9000
        mode http
        balance roundrobin
        # Only what was never sent is sent again.
        option redispatch
        retries 3
        retry-on conn-failure
        timeout connect 2s
        timeout queue 30s
        timeout server 1h
        timeout tunnel 1h
        http-response set-header X-Gitdeploy-Server %si:%sp if { var(txn.gitdeploy_probe) -m bool }
        http-response set-header X-Gitdeploy-Server [%si]:%sp if { var(txn.gitdeploy_probe) -m bool } { bc_dst -m sub : }
        server shop-api-1-b2 [::1]:20002 weight 100

    backend shop.web.8080
        mode http
        balance roundrobin
        # Only what was never sent is sent again.
        option redispatch
        retries 3
        retry-on conn-failure
        timeout connect 2s
        timeout queue 30s
        timeout server 1h
        timeout tunnel 1h
        timeout check 2s
        option httpchk GET "/health"
        http-response set-header X-Gitdeploy-Server %si:%sp if { var(txn.gitdeploy_probe) -m bool }
        server shop-web-1-a1 127.0.0.1:20000 check inter 500ms fastinter 100ms downinter 50ms fall 2 rise 1 weight 100
        server shop-web-2-a1 127.0.0.1:20001 check inter 500ms fastinter 100ms downinter 50ms fall 2 rise 1 weight 100
    "#);
}
